/** The numbers of lib/view/wire.ts are those of native/fuse/wire.h. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { Opcode, Size } from '../../../lib/view/wire.js';
import { projectRoot } from '../../helpers/run.js';

const header = fs.readFileSync(path.join(projectRoot, 'native/fuse/wire.h'), 'utf8');

/** GETXATTR, kGetxattr and BATCH_FORGET, kBatchForget alike. */
const plain = (name: string): string => name.replace(/^k|_/g, '').toLowerCase();

test.serial('every opcode has the number of the native header', (t) => {
  const body = /enum class Op[^{]*\{([^}]*)\}/.exec(header)?.[1] as string;
  const native = new Map([...body.matchAll(/(k\w+) = (\d+)/g)].map(([, name, value]) => [plain(name as string), Number(value)]));
  t.true(native.size > 40);
  for (const [name, value] of Object.entries(Opcode)) t.is<number | undefined, number | undefined>(value, native.get(plain(name)), name);
});

/** Bytes of a struct of the header, from its fields: every struct of the protocol is made of naturally aligned integers. */
function structBytes(name: string): number {
  const fields = new RegExp(`struct ${name} \\{([^}]*)\\}`).exec(header)?.[1];
  if (fields === undefined) throw new Error(`no struct ${name} in wire.h`);
  let bytes = 0;
  for (const statement of fields.replace(/\/\/.*$/gm, '').split(';').map((text) => text.trim()).filter(Boolean)) {
    const [, type, names] = /^(\w+)\s+([\w\s,[\]]+)$/.exec(statement) as RegExpExecArray;
    for (const field of (names as string).split(',')) {
      const count = Number(/\[(\d+)\]/.exec(field)?.[1] ?? 1);
      bytes += count * ({ uint64_t: 8, int64_t: 8, uint32_t: 4, int32_t: 4, uint16_t: 2 }[type as string] ?? structBytes(type as string));
    }
  }
  return bytes;
}

test.serial('every structure has the size of the native header', (t) => {
  const names = {
    in_header: 'InHeader', out_header: 'OutHeader', attr: 'Attr', entry_out: 'EntryOut', attr_out: 'AttrOut', statx_out: 'StatxOut',
    kstatfs: 'StatfsOut', dirent: 'Dirent', direntplus: 'Direntplus', forget_in: 'ForgetIn', forget_one: 'ForgetOne',
    batch_forget_in: 'BatchForgetIn', read_in: 'ReadIn', getxattr_in: 'GetxattrIn', getxattr_out: 'GetxattrOut',
    interrupt_in: 'InterruptIn', lseek_in: 'LseekIn', lseek_out: 'LseekOut',
  } satisfies Record<keyof typeof Size, string>;
  for (const [name, struct] of Object.entries(names)) t.is<number, number>(Size[name as keyof typeof Size], structBytes(struct), name);
});
