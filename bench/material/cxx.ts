/** A C++ program of many translation units, each with the standard headers and templates that such programs use. */
import fs from 'node:fs';
import path from 'node:path';

const unit = (i: number): string => `#include "common.h"

namespace {
struct Item${i} { std::string name; long value; };
}

long work${i}(long n) {
  std::map<std::string, Item${i}> items;
  for (long k = 0; k < n; k++) items["key" + std::to_string(k * ${i + 1})] = {"item", k};
  std::vector<Item${i}> sorted;
  for (const auto& [key, item] : items) sorted.push_back(item);
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
  return sum(sorted, [](const auto& item) { return item.value; });
}
`;

/** So many units with a Makefile; `make` builds `program`. */
export function cxxProgram(directory: string, units: number): string {
  const numbers = Array.from({ length: units }, (_, i) => i);
  fs.writeFileSync(path.join(directory, 'common.h'), `#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
template <typename C, typename F>
long sum(const C& all, F value) {
  long total = 0;
  for (const auto& one : all) total += value(one);
  return total;
}
${numbers.map((i) => `long work${i}(long n);`).join('\n')}
`);
  for (const i of numbers) fs.writeFileSync(path.join(directory, `unit${i}.cc`), unit(i));
  fs.writeFileSync(path.join(directory, 'main.cc'), `#include <cstdio>
#include "common.h"
int main() {
  long total = 0;
${numbers.map((i) => `  total += work${i}(10);`).join('\n')}
  printf("%ld\\n", total);
}
`);
  fs.writeFileSync(path.join(directory, 'Makefile'), `OBJECTS := $(patsubst %.cc,%.o,$(wildcard *.cc))
program: $(OBJECTS)
\tg++ -o $@ $^
%.o: %.cc
\tg++ -std=c++17 -O1 -MMD -c -o $@ $<
-include $(OBJECTS:.o=.d)
`);
  return directory;
}
