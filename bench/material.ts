/** What the workloads work on: made once in a run, offline but for npm's cache, the same on every machine. */
import { cxxProgram } from './material/cxx.js';
import { gitRepository } from './material/git.js';
import { npmProject } from './material/npm.js';
import { sourceArchive } from './material/sources.js';
import type { Scale } from './model.js';
import type { Scope } from '../test/helpers/scope.js';

export class Material {
  private readonly made = new Map<string, Promise<unknown>>();

  constructor(private readonly scope: Scope, private readonly scale: Scale) {}

  /** A tar file of small files in many directories. */
  archive(): Promise<{ file: string; files: number }> {
    return this.once('archive', () => sourceArchive(this.scope.temporary('memory'), this.scale.files));
  }

  /** A repository (bare) with the tags `old` and `new`, far from each other. */
  repository(): Promise<string> {
    return this.once('git', () => gitRepository(this.scope.temporary('memory'), this.scale.gitFiles));
  }

  /** package.json and package-lock.json of a project, all of whose packages are in npm's cache. */
  npm(): Promise<string> {
    return this.once('npm', () => npmProject(this.scope.temporary('disk')));
  }

  /** A C++ program with its Makefile. */
  program(): Promise<string> {
    return this.once('cxx', async () => cxxProgram(this.scope.temporary('memory'), this.scale.units));
  }

  private once<T>(name: string, make: () => Promise<T>): Promise<T> {
    if (!this.made.has(name)) this.made.set(name, make());
    return this.made.get(name) as Promise<T>;
  }
}
