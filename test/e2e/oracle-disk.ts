/** The oracle on disk. */
import { testSeeds } from './support/seeds.js';

testSeeds('disk');
