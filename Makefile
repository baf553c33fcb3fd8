# Builds build/rewindfs.node: every native/**/*.cc, one shared object. Node's headers come from the node-api-headers
# package, so that nothing is downloaded. `make SAN=address` builds with a sanitizer into build-address/.
CXX ?= g++
SAN ?=
OUT := build$(if $(SAN),-$(SAN))
SOURCES := $(sort $(wildcard native/*/*.cc))
DRIVER := $(sort $(wildcard test/native/*.cc))
CUT_DISK := $(sort $(wildcard test/native/disk/*.cc)) native/fuse/mount.cc
FAULTS := $(sort $(wildcard test/native/faults/*.cc))
BENCH := $(sort $(wildcard bench/*.cc))
OBJECTS := $(SOURCES:%.cc=$(OUT)/%.o)
STD := $(OUT)/std/std.h.gch
INCLUDES := -I$(dir $(STD)) -include std.h -Inative -Itest/native -isystem node_modules/node-api-headers/include -isystem node_modules/node-addon-api
CXXFLAGS += -std=c++20 -O2 -g1 -fPIC -fvisibility=hidden -pthread -D_FILE_OFFSET_BITS=64 -D_GNU_SOURCE \
  -Wall -Wextra -Werror -Wshadow -Wno-unused-parameter -DNAPI_VERSION=8 -DNODE_ADDON_API_DISABLE_DEPRECATED \
  $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) $(if $(filter thread,$(SAN)),-Wno-error=tsan)

# test/native: the system-call driver of the tests, disks that log what is written to them, and calls that go wrong; bench: the
# worker that measures. None is part of the product.
all: $(OUT)/rewindfs.node $(if $(DRIVER),$(OUT)/driver $(OUT)/cut-disk $(OUT)/faults.so) $(if $(BENCH),$(OUT)/bench-worker)

$(OUT)/rewindfs.node: $(OBJECTS)
	$(CXX) -shared -pthread $(if $(SAN),-fsanitize=$(SAN)) -o $@ $^

$(OUT)/driver: $(DRIVER:%.cc=$(OUT)/%.o)
	$(CXX) -pthread $(if $(SAN),-fsanitize=$(SAN)) -o $@ $^

$(OUT)/cut-disk: $(CUT_DISK:%.cc=$(OUT)/%.o)
	$(CXX) -pthread $(if $(SAN),-fsanitize=$(SAN)) -o $@ $^

$(OUT)/faults.so: $(FAULTS:%.cc=$(OUT)/%.o)
	$(CXX) -shared -pthread -o $@ $^

$(OUT)/bench-worker: $(BENCH:%.cc=$(OUT)/%.o)
	$(CXX) -pthread $(if $(SAN),-fsanitize=$(SAN)) -o $@ $^

$(STD): native/std.h Makefile
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -x c++-header -o $@ $<

# It defines both names of each call: headers that give one of them to the other would be in its way.
$(OUT)/test/native/faults/%.o: test/native/faults/%.cc Makefile
	@mkdir -p $(@D)
	$(CXX) $(filter-out -D_FILE_OFFSET_BITS=64,$(CXXFLAGS)) -MMD -MP -c -o $@ $<

$(OUT)/%.o: %.cc $(STD) Makefile
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(INCLUDES) -MMD -MP -c -o $@ $<

# Beside the native code, so that `make -j2` keeps two cores busy: the library, and the bundle that `rewind` runs from.
typescript:
	node_modules/.bin/tsc && node scripts/bundle.mjs

# The tests of the native code that need neither JavaScript nor a mount.
TEST_OBJECTS := $(patsubst %.cc,$(OUT)/%.o,$(sort $(wildcard test/native/units/*.cc)) $(filter native/os/% native/journal/% \
  native/live/% native/fuse/%,$(SOURCES)))
native-tests: $(OUT)/native-tests
$(OUT)/native-tests: $(TEST_OBJECTS)
	$(CXX) -pthread $(if $(SAN),-fsanitize=$(SAN)) -o $@ $^

# What reads bytes of others, given any bytes: build-fuzz/fuzz-frames and -journal are libFuzzer's (clang), build/fuzz-* run kept inputs.
FUZZED := frames journal
HARNESS := $(OUT)/test/native/units/harness.o
FUZZ_OBJECTS := $(FUZZED:%=$(OUT)/test/native/fuzz/%.o) $(HARNESS)
ENGINE_OBJECTS := $(filter $(OUT)/native/os/% $(OUT)/native/journal/% $(OUT)/native/live/% $(OUT)/native/fuse/%,$(OBJECTS))
fuzz-replay: $(FUZZED:%=$(OUT)/fuzz-%)
$(OUT)/fuzz-%: $(OUT)/test/native/fuzz/%.o $(OUT)/test/native/fuzz/replay.o $(HARNESS) $(ENGINE_OBJECTS)
	$(CXX) -pthread $(if $(SAN),-fsanitize=$(SAN)) -o $@ $^

fuzz:
	$(MAKE) CXX=clang++ OUT=build-fuzz SAN=address,undefined,fuzzer-no-link $(FUZZED:%=build-fuzz/libfuzzer-%)
$(OUT)/libfuzzer-%: $(OUT)/test/native/fuzz/%.o $(HARNESS) $(ENGINE_OBJECTS)
	$(CXX) -pthread -fsanitize=address,undefined,fuzzer -o $@ $^

# clang reads the lock annotations (native/os/mutex.h) that g++ ignores.
thread-safety:
	@for f in $(SOURCES); do clang++ -fsyntax-only -Wthread-safety -Werror=thread-safety \
	  $(filter-out -Werror -Wno-unused-parameter,$(CXXFLAGS)) -Wno-everything -Wthread-safety $(INCLUDES) $$f || exit 1; done

clean:
	rm -rf build build-*

-include $(OBJECTS:.o=.d) $(DRIVER:%.cc=$(OUT)/%.d) $(CUT_DISK:%.cc=$(OUT)/%.d) $(FAULTS:%.cc=$(OUT)/%.d) $(BENCH:%.cc=$(OUT)/%.d) $(TEST_OBJECTS:.o=.d) $(FUZZ_OBJECTS:.o=.d)
.PHONY: all native-tests fuzz fuzz-replay clean thread-safety typescript
