/** How the engine speaks with the kernel: 'auto' takes io_uring where the kernel offers it, else /dev/fuse. */
export const TRANSPORTS = ['auto', 'io_uring', 'dev'] as const;
export type Transport = typeof TRANSPORTS[number];
