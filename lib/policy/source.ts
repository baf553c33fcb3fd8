/**
 * The policy of one store: what is in force, and where it comes from. Guarantees: what is in force was read whole from a
 * file that could be understood; a wrong file changes nothing, also not across a restart (the last good one is kept
 * beside it); a change of the file is seen within a second or two.
 */
import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { RewindError } from '../errors.js';
import { replaceFile } from '../replace.js';
import { decidingRule } from './decide.js';
import { DEFAULT_POLICY, parsePolicy, type OnFull, type Policy, type Rule } from './file.js';
import { KeepPolicy } from './keeping.js';
import { RecoveryPolicy } from './recovery.js';

/** How often the file is looked at. */
const WATCH_MS = 1000;

/** A policy file and what became of it. */
export class PolicySource {
  policy: Policy = DEFAULT_POLICY;
  /** Why the file as it is now is not in force. */
  refused: RewindError | null = null;
  private exists = false;
  private decided: RecoveryPolicy | null = null;
  private keeps: KeepPolicy | null = null;
  private readonly followers: ((policy: Policy) => void)[] = [];
  private text: string | null | undefined;
  private refusal: ((error: RewindError) => void) | null = null;
  private readonly changed = (): void => void this.load().catch((error: unknown) => this.refuse(asPolicyError(error, this.file)));

  /** @param keepOut see parsePolicy */
  constructor(readonly file: string, private readonly goodFile: string, private readonly keepOut: readonly string[] = []) {}

  /** Told of every file that is refused, the present one too. */
  onRefused(listener: (error: RewindError) => void): void {
    this.refusal = listener;
    if (this.refused) listener(this.refused);
  }

  /** Reads the file; what cannot be understood leaves in force what was. */
  async load(): Promise<void> {
    const first = this.text === undefined;
    const text = await readOptional(this.file);
    if (text === this.text) return;
    this.text = text;
    this.exists = text !== null;
    try {
      const policy = text === null ? DEFAULT_POLICY : parsePolicy(text, this.file, this.keepOut);
      this.refused = null;
      this.policy = policy;
      for (const follower of this.followers) follower(policy);
      if (text !== null) await this.keep(text);
    } catch (error) {
      if (first) await this.takeGood();
      this.refuse(asPolicyError(error, this.file));
    }
  }

  /** Told of the policy that is in force: now, and whenever it becomes another. */
  follow(follower: (policy: Policy) => void): void {
    this.followers.push(follower);
    follower(this.policy);
  }

  watch(): void {
    watchFile(this.file, { interval: WATCH_MS, persistent: false }, this.changed);
  }

  unwatch(): void {
    unwatchFile(this.file, this.changed);
    this.followers.length = 0;
  }

  /** The rule that decides for a path from the root of the tree. */
  decide(path: Buffer, directory: boolean): Rule | null {
    return path.toString('latin1') === '.' ? null : decidingRule(this.policy, path, directory);
  }

  /** As people and programs are told. */
  row(): Pick<Policy, 'interval' | 'rules' | 'recovery' | 'paused'> & { on_full: OnFull; file: string; exists: boolean; refused: string | null } {
    const { interval, onFull, rules, recovery, paused } = this.policy;
    return { file: this.file, exists: this.exists, refused: this.refused?.message ?? null, interval, on_full: onFull, rules, recovery, paused };
  }

  /** Who may put damaged files back, and how often it is tried. */
  recovery(): RecoveryPolicy {
    if (this.decided?.rules !== this.policy.recovery) this.decided = new RecoveryPolicy(this.policy.recovery);
    return this.decided;
  }

  /** How long content is kept, path by path. */
  keeping(): KeepPolicy {
    const { retention, keeping } = this.policy;
    if (this.keeps?.rules !== keeping || this.keeps.table !== retention) this.keeps = new KeepPolicy(retention, keeping);
    return this.keeps;
  }

  private refuse(error: RewindError): void {
    this.refused = error;
    this.refusal?.(error);
  }

  private async takeGood(): Promise<void> {
    const good = await readOptional(this.goodFile);
    if (good === null) return;
    try {
      this.policy = parsePolicy(good, this.goodFile, this.keepOut);
    } catch {
      this.policy = DEFAULT_POLICY;  // of another version, or changed by hand: the built-in rules are always right
    }
  }

  /** A store that cannot be written to is no reason to refuse a policy. */
  private async keep(text: string): Promise<void> {
    await replaceFile(this.goodFile, text).catch(() => null);
  }
}

async function readOptional(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function asPolicyError(error: unknown, path: string): RewindError {
  if (error instanceof RewindError) return error;
  return new RewindError('ERR_POLICY', `${path} cannot be read: ${(error as Error).message}`, 'The policy that was in force stays.', { cause: error });
}
