/** What to do about a busy mount, naming who uses it. */
import { nameUsers, usersOf } from '../store/users.js';

export async function busyHint(mountpoint: string): Promise<string> {
  const users = await usersOf(mountpoint);
  if (users.length === 0) return 'Close what uses it and try again, or unmount with --lazy.';
  return `In use by ${nameUsers(users)}: end it and try again, or unmount with --lazy.`;
}
