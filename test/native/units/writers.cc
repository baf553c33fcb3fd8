// Who made a change: real processes, threads and execs.
#include "live/writers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "harness.h"
#include "live/process_info.h"
#include "memory_recorder.h"
#include "os/json.h"

namespace rewindfs::test {
namespace {

// A child that execs and then waits to be killed.
class Child {
 public:
  explicit Child(const std::vector<std::string>& command, bool exec_at_once = true) {
    CHECK_EQ(pipe2(go_, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      char byte;
      if (!exec_at_once) (void)!read(go_[0], &byte, 1);
      std::vector<char*> argv;
      for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
      argv.push_back(nullptr);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    if (exec_at_once) wait_for(command[0]);
  }
  ~Child() {
    if (pid_ > 0) end();
    close(go_[0]);
    close(go_[1]);
  }
  void exec(const std::string& name) {
    CHECK_EQ(::write(go_[1], "x", 1), 1);
    wait_for(name);
  }
  void end() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  pid_t pid() const { return pid_; }

 private:
  void wait_for(const std::string& name) {
    for (int i = 0; i < 5000; ++i, usleep(1000)) {
      const auto words = live::command_line(pid_);
      if (!words.empty() && words[0] == name) return;
    }
    fail(__FILE__, __LINE__, "the child did not exec " + name);
  }
  int go_[2] = {-1, -1};
  pid_t pid_ = 0;
};

std::string payload_of(MemoryRecorder& recorder, uint64_t id) { return recorder.records().at(id - 1).payload; }
bool says(const std::string& payload, const std::string& part) { return payload.find(part) != std::string::npos; }

TEST("the same thread is the same writer, recorded once with all that is known of it") {
  MemoryRecorder recorder;
  live::Writers writers(recorder);
  const auto self = static_cast<uint32_t>(getpid());
  const uint64_t id = writers.resolve(self, 7, 8);
  CHECK_EQ(id, 1u);
  for (int i = 0; i < 100; ++i) CHECK_EQ(writers.resolve(self, 7, 8), id);
  CHECK_EQ(recorder.records().size(), 1u);
  const std::string payload = payload_of(recorder, id);
  CHECK(says(payload, "\"pid\":" + std::to_string(getpid()) + ","));
  CHECK(says(payload, "\"ppid\":" + std::to_string(getppid()) + ","));
  CHECK(says(payload, "\"start\":" + std::to_string(live::start_time(getpid())) + ","));
  CHECK(says(payload, "native-tests\",\"argv\":["));
  CHECK(says(payload, "\"uid\":7,\"gid\":8,"));
  CHECK(says(payload, "\"certain\":true}"));
  CHECK(live::start_time(getpid()) > 0);
}

TEST("a writer is told with the chain of those who started it, also through one that never wrote, and with its session") {
  MemoryRecorder recorder;
  live::Writers writers(recorder);
  setenv("REWIND_SESSION", "1a2b", 1);
  // The shell in between waits for its child, whose pid it prints into a pipe.
  int out[2];
  CHECK_EQ(pipe(out), 0);
  Child shell({"sh", "-c", "sleep 1000 & echo $! >&" + std::to_string(out[1]) + "; wait"});
  unsetenv("REWIND_SESSION");
  char text[32] = {};
  CHECK(read(out[0], text, sizeof text - 1) > 0);
  const auto grandchild = static_cast<pid_t>(std::atoi(text));
  for (int i = 0; i < 5000 && live::command_line(grandchild) != std::vector<std::string>{"sleep", "1000"}; ++i) usleep(1000);
  const std::string payload = payload_of(recorder, writers.resolve(static_cast<uint32_t>(grandchild), 0, 0));
  const auto link = [](pid_t pid) { return "\"" + std::to_string(pid) + ":" + std::to_string(live::start_time(pid)) + "\""; };
  CHECK(says(payload, "\"ancestors\":[" + link(shell.pid()) + "," + link(getpid()) + ","));
  CHECK(says(payload, "\"session\":\"1a2b\""));
  kill(grandchild, SIGKILL);
  close(out[0]);
  close(out[1]);
}

TEST("another user of the same process is another writer") {
  MemoryRecorder recorder;
  live::Writers writers(recorder);
  const auto self = static_cast<uint32_t>(getpid());
  const uint64_t as_root = writers.resolve(self, 0, 0);
  const uint64_t as_user = writers.resolve(self, 1000, 1000);
  CHECK(as_root != as_user);
  CHECK_EQ(writers.resolve(self, 0, 0), as_root);
  CHECK_EQ(writers.resolve(self, 1000, 1000), as_user);
}

TEST("the threads of a process are one writer") {
  MemoryRecorder recorder;
  live::Writers writers(recorder);
  const uint64_t id = writers.resolve(static_cast<uint32_t>(getpid()), 0, 0);
  uint64_t of_thread = 0;
  std::thread([&] { of_thread = writers.resolve(static_cast<uint32_t>(gettid()), 0, 0); }).join();
  CHECK_EQ(of_thread, id);
}

TEST("an exec makes another writer of the same process, also to the same executable") {
  MemoryRecorder recorder;
  live::Writers writers(recorder);
  Child child({"sleep", "1000"}, false);
  const auto pid = static_cast<uint32_t>(child.pid());
  const uint64_t before = writers.resolve(pid, 0, 0);
  CHECK_EQ(writers.resolve(pid, 0, 0), before);
  child.exec("sleep");
  const uint64_t after = writers.resolve(pid, 0, 0);
  CHECK(after != before);
  CHECK(says(payload_of(recorder, before), "native-tests"));
  CHECK(says(payload_of(recorder, after), "\"argv\":[\"sleep\",\"1000\"]"));

  Child again({"sh", "-c", "read x; exec sh -c 'sleep 1000; :'"});
  const uint64_t first = writers.resolve(static_cast<uint32_t>(again.pid()), 0, 0);
  CHECK_EQ(writers.resolve(static_cast<uint32_t>(again.pid()), 0, 0), first);
}

TEST("a process that is gone is told as uncertain, with what the request said") {
  MemoryRecorder recorder;
  live::Writers writers(recorder);
  Child child({"sleep", "1000"});
  const auto pid = static_cast<uint32_t>(child.pid());
  const uint64_t alive = writers.resolve(pid, 0, 0);
  child.end();
  const uint64_t gone = writers.resolve(pid, 5, 6);
  CHECK(gone != alive);
  CHECK(says(payload_of(recorder, gone), "\"pid\":" + std::to_string(pid) + ","));
  CHECK(says(payload_of(recorder, gone), "\"uid\":5,\"gid\":6,"));
  CHECK(says(payload_of(recorder, gone), "\"certain\":false}"));
  CHECK_EQ(writers.resolve(pid, 5, 6), gone);
}

TEST("a blocked family is refused, with what it started, and nobody else") {
  MemoryRecorder recorder;
  live::Writers writers(recorder);
  Child one({"sleep", "1000"}), other({"sleep", "1000"});
  const auto refused = [&](pid_t pid) { return writers.refuses(static_cast<uint32_t>(pid), 0, 0); };
  const auto id = [](pid_t pid) { return std::to_string(pid) + ":" + std::to_string(live::start_time(pid)); };
  CHECK(!refused(one.pid()));
  writers.block({id(one.pid())});
  CHECK(refused(one.pid()));
  CHECK(!refused(other.pid()));
  writers.block({id(getpid())});
  CHECK(refused(one.pid()) && refused(other.pid()));
  CHECK(!refused(getpid()));
  writers.block({std::to_string(one.pid()) + ":1"});
  CHECK(!refused(one.pid()));
  writers.block({});
  CHECK(!refused(other.pid()));
}

TEST("a blocked family is refused also where nothing is recorded") {
  MemoryRecorder recorder;
  live::Writers writers(recorder);
  const Child one({"sleep", "1000"});
  recorder.in_gap = true;
  writers.block({std::to_string(getpid()) + ":" + std::to_string(live::start_time(getpid()))});
  CHECK(writers.refuses(static_cast<uint32_t>(one.pid()), 0, 0));
  CHECK_EQ(writers.resolve(static_cast<uint32_t>(one.pid()), 0, 0), 0u);
  recorder.in_gap = false;
  CHECK_EQ(writers.resolve(static_cast<uint32_t>(one.pid()), 0, 0), 1u);
}

TEST("no thread is writer 0, and what cannot be recorded is not remembered") {
  MemoryRecorder recorder;
  live::Writers writers(recorder);
  CHECK_EQ(writers.resolve(0, 0, 0), 0u);
  recorder.fail_reserve = ENOSPC;
  CHECK_EQ(writers.resolve(static_cast<uint32_t>(getpid()), 0, 0), 0u);
  recorder.fail_reserve = 0;
  CHECK_EQ(writers.resolve(static_cast<uint32_t>(getpid()), 0, 0), 1u);
}

TEST("a writer that asked a moment ago is answered without asking the kernel") {
  MemoryRecorder recorder;
  live::Writers writers(recorder);
  const auto self = static_cast<uint32_t>(getpid());
  writers.resolve(self, 0, 0);
  constexpr int kCalls = 20000;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kCalls; ++i) writers.resolve(self, 0, 0);
  const auto each = (std::chrono::steady_clock::now() - begin) / kCalls;
  std::printf("%lld ns a call\n", static_cast<long long>(each.count()));
  CHECK(each < std::chrono::microseconds(2));
}

TEST("JSON strings escape what must be escaped and never break UTF-8") {
  CHECK_EQ(json_string("a\"b\\c\n\x7f"), "\"a\\\"b\\\\c\\u000a\\u007f\"");
  CHECK_EQ(json_string("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"), "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"");
  CHECK_EQ(json_string("\xff\xc3("), "\"\\ufffd\\ufffd(\"");
  CHECK_EQ(json_string("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
  CHECK_EQ(json_string("\xe2\x82"), "\"\\ufffd\\ufffd\"");
}

}  // namespace
}  // namespace rewindfs::test
