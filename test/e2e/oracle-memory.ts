/** The oracle on tmpfs: a file of its own, so that it runs beside the one on disk. */
import { testSeeds } from './support/seeds.js';

testSeeds('memory');
