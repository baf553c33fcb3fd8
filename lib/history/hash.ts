/** The hash that content is found again by and checked with: XXH64. */
import xxhash from 'xxhash-wasm';

const { h64Raw } = await xxhash();

/** XXH64 of these bytes; never 0, which means "not hashed". */
export const hashOf = (bytes: Uint8Array): bigint => h64Raw(bytes) || 1n;
