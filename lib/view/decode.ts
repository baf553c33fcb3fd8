/**
 * Requests from bytes. A frame comes from the kernel, yet nothing here trusts it: every length is checked against the
 * bytes that are there, and what does not fit is a Malformed with the request's own number, so that it can be refused.
 */
import type { Name } from '../history/types.js';
import { Opcode, Size, type U64 } from './wire.js';

/** One request: the header's fields and the bytes after it. */
export interface Request {
  opcode: number;
  /** The kernel's number of this request; below 2^53. */
  unique: number;
  nodeid: U64;
  uid: number;
  body: Buffer;
}

/** A body that is shorter than its opcode needs, or a name without an end. */
export class Malformed extends Error {}

const TWO_32 = 2 ** 32;

/** A u64 as a double: exact below 2^53. */
export const readU64 = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * TWO_32;

const readHalves = (bytes: Buffer, at: number): U64 => ({ lo: bytes.readUInt32LE(at), hi: bytes.readUInt32LE(at + 4) });

/** The requests of a batch, in order. Bytes that are not a whole frame end it. */
export function* requestsOf(batch: Buffer): Generator<Request> {
  for (let at = 0; at + Size.in_header <= batch.length;) {
    const length = batch.readUInt32LE(at);
    if (length < Size.in_header || at + length > batch.length) return;
    const extensions = batch.readUInt16LE(at + 36) * 8;
    const end = Math.max(at + Size.in_header, at + length - extensions);
    yield {
      opcode: batch.readUInt32LE(at + 4),
      unique: readU64(batch, at + 8),
      nodeid: readHalves(batch, at + 16),
      uid: batch.readUInt32LE(at + 24),
      body: batch.subarray(at + Size.in_header, end),
    };
    at += length;
  }
}

function need(body: Buffer, bytes: number): void {
  if (body.length < bytes) throw new Malformed(`a request body of ${body.length} bytes where ${bytes} are due`);
}

/** The zero-terminated name that starts at `at`. */
export function nameAt(body: Buffer, at: number): Name {
  const end = body.indexOf(0, at);
  if (end < 0 || end === at) throw new Malformed('a name without an end, or empty');
  return body.toString('latin1', at, end);
}

export interface ReadIn {
  offset: number;
  size: number;
}

/** READ, READDIR and READDIRPLUS. */
export function readIn(body: Buffer): ReadIn {
  need(body, Size.read_in);
  return { offset: readU64(body, 8), size: body.readUInt32LE(16) };
}

/** GETXATTR: room for the value (0 asks for its length) and the name. */
export function getxattrIn(body: Buffer): { room: number; name: Name } {
  need(body, Size.getxattr_in);
  return { room: body.readUInt32LE(0), name: nameAt(body, Size.getxattr_in) };
}

/** LISTXATTR: room for the names. */
export function listxattrIn(body: Buffer): number {
  need(body, Size.getxattr_in);
  return body.readUInt32LE(0);
}

export function lseekIn(body: Buffer): { offset: number; whence: number } {
  need(body, Size.lseek_in);
  return { offset: readU64(body, 8), whence: body.readUInt32LE(16) };
}

/** INTERRUPT: the number of the request that nobody waits for any more. */
export function interruptIn(body: Buffer): number {
  need(body, Size.interrupt_in);
  return readU64(body, 0);
}

export interface Forget {
  nodeid: U64;
  lookups: number;
}

/** FORGET and BATCH_FORGET. */
export function forgetsOf(request: Request): Forget[] {
  const { body } = request;
  if (request.opcode === Opcode.FORGET) {
    need(body, Size.forget_in);
    return [{ nodeid: request.nodeid, lookups: readU64(body, 0) }];
  }
  need(body, Size.batch_forget_in);
  const count = body.readUInt32LE(0);
  need(body, Size.batch_forget_in + count * Size.forget_one);
  return Array.from({ length: count }, (_, i) => {
    const at = Size.batch_forget_in + i * Size.forget_one;
    return { nodeid: readHalves(body, at), lookups: readU64(body, at + 8) };
  });
}
