/** Holds native/journal/format.h, docs/journal.md and the TypeScript decoder together: they say the same, or this fails. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { ATTR_BYTES, decodeRecord, Flag, Kind, RECORD_HEAD_BYTES, Section } from '../../../lib/extractor/record.js';
import { native } from '../../../lib/native.js';

const header = readFileSync('native/journal/format.h', 'utf8');
const page = readFileSync('docs/journal.md', 'utf8');

/** The enumerators of an enum of the header, without their k. */
function enumOf(name: string): Record<string, number> {
  const body = new RegExp(`enum (?:class )?${name}[^{]*\\{([^}]*)\\}`).exec(header)?.[1] ?? '';
  const entries = [...body.replace(/\/\/.*$/gm, '').matchAll(/k(\w+) = (\d+)/g)];
  return Object.fromEntries(entries.map(([, key, value]) => [key!, Number(value)]));
}

/** Offset and size of each field of a struct of the header, laid out as C++ does for fields of their natural alignment. */
function fieldsOf(name: string): { field: string; offset: number; bytes: number }[] {
  const sizes: Record<string, number> = { char: 1, uint8_t: 1, uint16_t: 2, uint32_t: 4, uint64_t: 8, int64_t: 8, Attr: 80 };
  const body = new RegExp(`struct ${name} \\{([^}]*)\\}`).exec(header)?.[1] ?? '';
  const fields: { field: string; offset: number; bytes: number }[] = [];
  let offset = 0;
  for (const [, type, names] of body.replace(/\/\/.*$/gm, '').matchAll(/(\w+) ([\w, [\]]+);/g)) {
    for (const declared of names!.split(', ')) {
      const [, field, count] = /^(\w+)(?:\[(\d+)\])?$/.exec(declared)!;
      const bytes = sizes[type!]! * Number(count ?? 1);
      fields.push({ field: field!, offset, bytes });
      offset += bytes;
    }
  }
  return fields;
}

const sizeOf = (name: string): number => fieldsOf(name).reduce((sum, { bytes }) => sum + bytes, 0);

/** Rows of the table under a heading of the page, each as its cells. */
function tableOf(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  return section.split('\n').filter((line) => line.startsWith('|')).slice(2).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
}

const dashed = (name: string): string => name.replace(/(?!^)([A-Z])/g, '-$1').toLowerCase();
const lowered = (record: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key.toLowerCase(), value]));

test.serial('kinds, flags and sections are the same in the header and in the decoder', (t) => {
  t.deepEqual({ ...Kind }, enumOf('Kind') as typeof Kind);
  t.deepEqual({ ...Flag }, enumOf('Flags') as typeof Flag);
  const sections = Object.fromEntries(Object.entries(enumOf('Sections')).map(([key, value]) => [key.replace(/^Has/, ''), value]));
  t.deepEqual({ ...Section }, sections as typeof Section);
  t.true(Object.keys(Kind).length > 25);
});

test.serial('the page lists every kind with its number', (t) => {
  const listed = Object.fromEntries(tableOf('Kinds').map(([kind, number]) => [kind, Number(number)]));
  t.deepEqual(listed, Object.fromEntries(Object.entries(enumOf('Kind')).map(([key, value]) => [dashed(key), value])));
});

test.serial('the page lists flags, sections and setattr masks as the header has them', (t) => {
  const pairs = (text: string) => Object.fromEntries([...text.matchAll(/(\d+) (\w+)/g)].map(([, value, key]) => [key, Number(value)]));
  const meaning = (field: string) => tableOf('Record').find((row) => row[2] === field)![3]!;
  t.deepEqual(pairs(meaning('flags')), lowered(enumOf('Flags')));
  t.deepEqual(pairs(meaning('sections')), lowered(Object.fromEntries(Object.entries(enumOf('Sections')).map(([key, value]) => [key.slice(3), value]))));
  const setattr = tableOf('Kinds').find((row) => row[0] === 'setattr')![4]!;
  t.deepEqual(pairs(setattr), lowered(Object.fromEntries(Object.entries(enumOf('SetattrMask')).map(([key, value]) => [key.slice(3), value]))));
});

test.serial('sizes and offsets are the same in the header, on the page and in the decoder', (t) => {
  t.is(sizeOf('RecordHead'), RECORD_HEAD_BYTES);
  t.is(sizeOf('Attr'), ATTR_BYTES);
  for (const [heading, name] of [['Record', 'RecordHead'], ['Segment head', 'SegmentHead'], ['Sync mark', 'SyncMarkBytes']] as const) {
    t.true(header.includes(`static_assert(sizeof(${name}) == ${sizeOf(name)})`));
    t.deepEqual(tableOf(heading).map(([offset, bytes]) => [Number(offset), Number(bytes)]), fieldsOf(name).map(({ offset, bytes }) => [offset, bytes]));
  }
});

test.serial('the worked bytes of the page are a record with both checksums right', (t) => {
  const dump = /^## Worked bytes[\s\S]*?```\n([^`]*)```/m.exec(page)![1]!;
  const raw = Buffer.from(dump.replace(/^[0-9a-f]{4} /gm, '').replace(/\s/g, ''), 'hex');
  const { record, end } = decodeRecord(raw, 0);
  t.is(end, raw.length);
  t.is(record.seq, 1);
  t.is(record.timeNs, 0x1122334455667788n);
  t.is(record.kind, Kind.Mark);
  t.is(raw.toString('latin1', record.payloadAt, record.payloadAt + record.payloadBytes), '{}');
  t.is(native.crc32c(raw.subarray(8, RECORD_HEAD_BYTES), native.crc32c(raw.subarray(0, 4))), raw.readUInt32LE(4));
  t.is(native.crc32c(Buffer.from('{}')), raw.readUInt32LE(92));
});
