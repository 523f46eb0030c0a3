// Readings of a machine: how they are taken, kept and sent.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/size.h"
#include "cli/batch_sender.h"
#include "cli/command.h"
#include "cli/host_reader.h"
#include "env/sim_env.h"
#include "env/test_directory.h"
#include "server/config.h"
#include "server/server.h"

namespace firn {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// A machine whose /proc and /sys a test writes.
class HostReaderTest : public ::testing::Test {
 protected:
  void write(const std::string& path, std::string_view content) {
    ASSERT_TRUE(env_.create_directories(parent_path(path)).ok());
    ASSERT_TRUE(replace_file(&env_, path, content).ok());
  }
  static Result<FileSystemSpace> space_of(const std::string& path) {
    if (path != "/") return io_error("no space of " + path);
    return FileSystemSpace{100, 50, 40};
  }
  // "name device or sensor" of each sample.
  std::vector<std::string> read() {
    std::vector<std::string> found;
    for (const HostSample& sample : reader_.read()) {
      found.push_back(sample.name + (sample.labels.empty() ? "" : " " + sample.labels[0].second));
    }
    return found;
  }

  SimEnv env_{1};
  std::vector<std::string> warnings_;
  HostReader reader_{&env_, space_of,
                     [this](const Status& status) { warnings_.emplace_back(status.message()); }};
};

TEST_F(HostReaderTest, ReadsWhatThereIsAndTellsOnceWhatIsNot) {
  write("/proc/loadavg", "1 2 3 4/5 6\n");
  write("/proc/stat", "cpu broken\n");
  EXPECT_THAT(read(), ElementsAre("node_load1", "node_load5", "node_load15"));
  EXPECT_THAT(warnings_, Contains(HasSubstr("cpu broken")));
  EXPECT_THAT(warnings_, Contains(HasSubstr("/proc/meminfo")));
  const size_t told = warnings_.size();
  write("/proc/stat", "cpu broken otherwise\n");
  EXPECT_THAT(read(), SizeIs(3));
  EXPECT_THAT(warnings_, SizeIs(told));
}

TEST_F(HostReaderTest, AsksMountedFileSystemsForTheirSpace) {
  write("/proc/self/mounts", "/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /gone ext4 rw 0 0\n");
  EXPECT_THAT(read(), ElementsAre("node_filesystem_size_bytes /dev/sda1",
                                  "node_filesystem_free_bytes /dev/sda1",
                                  "node_filesystem_avail_bytes /dev/sda1"));
  EXPECT_THAT(warnings_, Contains("no space of /gone"));
}

TEST_F(HostReaderTest, NamesSensorsByChipAndLabel) {
  for (const std::string chip : {"/sys/class/hwmon/hwmon0/", "/sys/class/hwmon/hwmon1/"}) {
    write(chip + "name", "nvme\n");
    write(chip + "temp1_input", "40000\n");
    write(chip + "temp1_label", "Composite\n");
    write(chip + "temp2_input", "41000\n");
    write(chip + "fan1_input", "900\n");
  }
  write("/sys/class/thermal/thermal_zone0/temp", "50000\n");
  EXPECT_THAT(read(), ElementsAre("node_hwmon_temp_celsius nvme/Composite",
                                  "node_hwmon_temp_celsius nvme/temp2",
                                  "node_hwmon_temp_celsius nvme/Composite#2",
                                  "node_hwmon_temp_celsius nvme/temp2#2"));
}

TEST_F(HostReaderTest, ReadsThermalZonesWhereNoChipHasASensor) {
  write("/sys/class/thermal/thermal_zone0/type", "acpitz\n");
  write("/sys/class/thermal/thermal_zone0/temp", "50000\n");
  write("/sys/class/thermal/cooling_device0/type", "Processor\n");
  EXPECT_THAT(read(), ElementsAre("node_thermal_zone_temp acpitz"));
}

TEST_F(HostReaderTest, KnowsTheNameOfTheMachine) {
  EXPECT_EQ(reader_.host_name().status().code(), StatusCode::kNotFound);
  write("/proc/sys/kernel/hostname", "north\n");
  EXPECT_EQ(*reader_.host_name(), "north");
}

class BatchSenderTest : public ::testing::Test {
 protected:
  Status answer_;
  std::vector<std::string> tried_;
  BatchSender sender_{[this](std::string_view body) {
    tried_.emplace_back(body);
    return answer_;
  }};
};

TEST_F(BatchSenderTest, SendsInOrderWhatHadToWait) {
  answer_ = unavailable("away");
  EXPECT_EQ(sender_.send("a").code(), StatusCode::kUnavailable);
  EXPECT_EQ(sender_.send("b").code(), StatusCode::kUnavailable);
  EXPECT_EQ(sender_.waiting(), 2U);
  answer_ = Status();
  tried_.clear();
  EXPECT_TRUE(sender_.send("c").ok());
  EXPECT_THAT(tried_, ElementsAre("a", "b", "c"));
  EXPECT_EQ(sender_.waiting(), 0U);
  EXPECT_EQ(sender_.sent(), 3U);
}

TEST_F(BatchSenderTest, KeepsABatchWhoseAnswerWasLostOrDidNotCome) {
  for (const Status& status : {outcome_unknown("lost"), deadline_exceeded("silence")}) {
    answer_ = status;
    EXPECT_EQ(sender_.send("a").code(), status.code());
  }
  EXPECT_EQ(sender_.waiting(), 2U);
}

TEST_F(BatchSenderTest, ForgetsWhatIsRefusedForGood) {
  answer_ = invalid_argument("no");
  EXPECT_EQ(sender_.send("a").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(sender_.waiting(), 0U);
  EXPECT_EQ(sender_.sent(), 0U);
}

TEST_F(BatchSenderTest, DropsTheOldestBeyondTheNumberItKeeps) {
  answer_ = unavailable("away");
  for (size_t i = 0; i < kWaitingBatchesMax + 2; ++i) (void)sender_.send(std::to_string(i));
  EXPECT_EQ(sender_.waiting(), kWaitingBatchesMax);
  EXPECT_EQ(sender_.dropped(), 2U);
  (void)sender_.send("last");
  EXPECT_EQ(tried_.back(), "2");
}

TEST_F(BatchSenderTest, DropsTheOldestBeyondTheBytesItKeeps) {
  answer_ = unavailable("away");
  for (int i = 0; i < 3; ++i) (void)sender_.send(std::string(kWaitingBytesMax / 2, 'x'));
  EXPECT_EQ(sender_.waiting(), 2U);
  EXPECT_EQ(sender_.dropped(), 1U);
}

// The command with a server of its own.
class CollectTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ConfigSources sources;
    sources.flags = {{"data_dir", directory_.file("data")},
                     {"listen", "127.0.0.1:0"},
                     {"otlp.grpc", "off"},
                     {"otlp.http", "off"}};
    const auto loaded = load_config(posix_env(), sources);
    ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
    auto server = Server::start(posix_env(), loaded->config);
    ASSERT_TRUE(server.ok()) << server.status().to_string();
    server_ = std::move(*server);
    ASSERT_TRUE(server_->wait_ready().ok());
  }
  // The exit code of `firn collect host ...`.
  static int collect(std::vector<std::string> arguments) {
    CLI::App app;
    Action chosen;
    add_collect_command(&app, &chosen);
    arguments.insert(arguments.begin(), {"collect", "host"});
    try {
      app.parse(reversed_arguments(std::move(arguments)));
    } catch (const CLI::ParseError&) {
      return kExitUsage;
    }
    return chosen();
  }
  std::string get(const std::string& path) {
    auto connection = Connection::open(server_->addresses()[0]);
    EXPECT_TRUE(connection.ok());
    const auto answer = (*connection)->call("GET", path);
    return answer.ok() ? *answer : answer.status().to_string();
  }

  TestDirectory directory_;
  std::unique_ptr<Server> server_;
};

TEST_F(CollectTest, SendsOneReadingThatIsReadBack) {
  ASSERT_EQ(collect({"--once", "--host", "north", "--server", server_->addresses()[0]}), kExitOk);
  const std::string memory =
      get("/api/v1/namespaces/default/metrics/latest?name=node_memory_MemTotal_bytes");
  EXPECT_THAT(memory, HasSubstr("\"host\":\"north\""));
  const std::string processors =
      get("/api/v1/namespaces/default/metrics/latest?name=node_cpu_seconds_total&label.mode=idle");
  EXPECT_THAT(processors, HasSubstr("\"mode\":\"idle\""));
  EXPECT_THAT(processors, HasSubstr("\"value\":"));
}

TEST_F(CollectTest, PrintsOneReadingWithoutAServer) {
  testing::internal::CaptureStdout();
  const int code = collect({"--once", "--print", "--host", "north", "--server", "127.0.0.1:1"});
  const std::string printed = testing::internal::GetCapturedStdout();
  EXPECT_EQ(code, kExitOk);
  EXPECT_THAT(printed, testing::StartsWith("{\"samples\":[{\"name\":\"node_"));
  EXPECT_EQ(printed.find('\n'), printed.size() - 1);
}

TEST_F(CollectTest, EndsWhenItsFirstReadingIsRefused) {
  const std::string server = server_->addresses()[0];
  EXPECT_EQ(collect({"--namespace", "No Name", "--server", server}), kExitFailed);
  EXPECT_EQ(collect({"--once", "--server", "127.0.0.1:1"}), kExitUnreachable);
  EXPECT_EQ(collect({"--interval", "10ms"}), kExitUsage);
}

}  // namespace
}  // namespace firn
