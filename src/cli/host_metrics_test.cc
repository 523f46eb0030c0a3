#include "cli/host_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

namespace firn {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// "name{label=value} number" of each sample.
std::vector<std::string> shown(const Result<HostSamples>& samples) {
  std::vector<std::string> lines;
  if (!samples.ok()) return {samples.status().to_string()};
  for (const HostSample& sample : *samples) {
    std::string labels;
    for (const auto& [label, value] : sample.labels) labels += label + "=" + value;
    lines.push_back(std::visit(
        [&](auto value) { return fmt::format("{}{{{}}} {}", sample.name, labels, value); },
        sample.value));
  }
  return lines;
}

template <typename T>
void expect_refused(const Result<T>& result, const std::string& part) {
  EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr(part));
}

TEST(CpuSamples, TellSecondsOfAllProcessorsByMode) {
  EXPECT_THAT(
      shown(cpu_samples("cpu  250 10 100 4000 50 1 2 3 90 80\n"
                        "cpu0 250 10 100 4000 50 1 2 3 90 80\n"
                        "intr 12345 0 1\nctxt 99\n")),
      ElementsAre(
          "node_cpu_seconds_total{mode=user} 2.5", "node_cpu_seconds_total{mode=nice} 0.1",
          "node_cpu_seconds_total{mode=system} 1", "node_cpu_seconds_total{mode=idle} 40",
          "node_cpu_seconds_total{mode=iowait} 0.5", "node_cpu_seconds_total{mode=irq} 0.01",
          "node_cpu_seconds_total{mode=softirq} 0.02", "node_cpu_seconds_total{mode=steal} 0.03"));
}

TEST(CpuSamples, LeaveOutModesThatAnOldKernelDoesNotTell) {
  EXPECT_EQ(cpu_samples("cpu 1 2 3 4\n")->size(), 4U);
}

TEST(CpuSamples, RefuseWhatIsNoStat) {
  expect_refused(cpu_samples(""), "no line 'cpu'");
  expect_refused(cpu_samples("cpu0 1 2 3 4\n"), "no line 'cpu'");
  expect_refused(cpu_samples("cpu 1 2 3\n"), "'cpu 1 2 3'");
  expect_refused(cpu_samples("cpu 1 2 x 4\n"), "'cpu 1 2 x 4'");
  expect_refused(cpu_samples("cpu 1 2 -3 4\n"), "/proc/stat");
  expect_refused(cpu_samples("cpu 1 2 99999999999999999999 4\n"), "/proc/stat");
}

TEST(LoadSamples, TellThreeAverages) {
  EXPECT_THAT(shown(load_samples("0.50 1.25 12.00 3/456 7890\n")),
              ElementsAre("node_load1{} 0.5", "node_load5{} 1.25", "node_load15{} 12"));
}

TEST(LoadSamples, RefuseWhatIsNoLoad) {
  expect_refused(load_samples(""), "/proc/loadavg");
  expect_refused(load_samples("0.5 1.25\n"), "0.5 1.25");
  expect_refused(load_samples("0.5 high 1\n"), "high");
}

TEST(MemorySamples, TellMemoryAndSwapInBytes) {
  EXPECT_THAT(
      shown(memory_samples("MemTotal:       16000000 kB\nMemFree:  1000 kB\n"
                           "Unknown: 12\nHugePages_Total:       0\n"
                           "SwapTotal:             0 kB\n")),
      ElementsAre("node_memory_MemTotal_bytes{} 16384000000", "node_memory_MemFree_bytes{} 1024000",
                  "node_memory_SwapTotal_bytes{} 0"));
}

TEST(MemorySamples, RefuseWhatIsNoMeminfo) {
  expect_refused(memory_samples(""), "MemTotal");
  expect_refused(memory_samples("MemTotal: many kB\n"), "many");
  expect_refused(memory_samples("MemTotal: 12 MB\n"), "MB");
  expect_refused(memory_samples("MemTotal 12 kB\n"), "MemTotal");
  expect_refused(memory_samples("MemTotal:\n"), "MemTotal:");
}

constexpr std::string_view kNetHead =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop "
    "fifo colls carrier compressed\n";

TEST(NetworkSamples, TellCountersOfEachInterface) {
  const auto lines = shown(network_samples(std::string(kNetHead) +
                                           "    lo: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n"
                                           "veth12: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n"
                                           "  eth0:1001 12 1 2 0 0 0 0 2002 24 3 4 0 0 0 0\n"));
  EXPECT_THAT(lines, ElementsAre("node_network_receive_bytes_total{interface=eth0} 1001",
                                 "node_network_receive_packets_total{interface=eth0} 12",
                                 "node_network_receive_errs_total{interface=eth0} 1",
                                 "node_network_receive_drop_total{interface=eth0} 2",
                                 "node_network_transmit_bytes_total{interface=eth0} 2002",
                                 "node_network_transmit_packets_total{interface=eth0} 24",
                                 "node_network_transmit_errs_total{interface=eth0} 3",
                                 "node_network_transmit_drop_total{interface=eth0} 4"));
}

TEST(NetworkSamples, KnowInterfacesWhoseNameHasAColon) {
  EXPECT_THAT(shown(network_samples("eth0:1: 7 1 1 2 0 0 0 0 8 2 3 4 0 0 0 0\n")),
              Contains("node_network_receive_bytes_total{interface=eth0:1} 7"));
}

TEST(NetworkSamples, AreNoneWithoutInterfaces) {
  EXPECT_THAT(shown(network_samples(kNetHead)), IsEmpty());
  EXPECT_THAT(shown(network_samples("")), IsEmpty());
}

TEST(NetworkSamples, RefuseWhatIsNoTable) {
  expect_refused(network_samples("eth0 1 2 3\n"), "eth0 1 2 3");
  expect_refused(network_samples("eth0: 1 2 3\n"), "eth0: 1 2 3");
  expect_refused(network_samples(": 7 1 1 2 0 0 0 0 8 2 3 4 0 0 0 0\n"), "/proc/net/dev");
  expect_refused(network_samples("eth0: 7 1 x 2 0 0 0 0 8 2 3 4 0 0 0 0\n"), "/proc/net/dev");
}

TEST(DiskSamples, TellCountersOfADisk) {
  EXPECT_THAT(shown(disk_samples("   8       0 sda 100 5 2000 1500 200 6 4000 2500 0 3500 9\n")),
              ElementsAre("node_disk_reads_completed_total{device=sda} 100",
                          "node_disk_read_bytes_total{device=sda} 1024000",
                          "node_disk_read_time_seconds_total{device=sda} 1.5",
                          "node_disk_writes_completed_total{device=sda} 200",
                          "node_disk_written_bytes_total{device=sda} 2048000",
                          "node_disk_write_time_seconds_total{device=sda} 2.5",
                          "node_disk_io_time_seconds_total{device=sda} 3.5"));
}

TEST(DiskSamples, LeaveOutPartitionsAndDisksInMemory) {
  std::string text;
  for (const char* device : {"loop0", "ram1", "zram0", "sda", "sda1", "sda12", "sdaa", "nvme0n1",
                             "nvme0n1p2", "mmcblk0", "mmcblk0p1", "dm-1", "dm-10", "md0"}) {
    text += fmt::format("8 0 {} 1 0 8 1 1 0 8 1 0 1 1\n", device);
  }
  std::string devices;
  const auto samples = disk_samples(text);
  ASSERT_TRUE(samples.ok());
  for (const HostSample& sample : *samples) {
    if (sample.name == "node_disk_io_time_seconds_total") devices += sample.labels[0].second + " ";
  }
  EXPECT_EQ(devices, "sda sdaa nvme0n1 mmcblk0 dm-1 dm-10 md0 ");
}

TEST(DiskSamples, RefuseWhatIsNoTable) {
  EXPECT_THAT(shown(disk_samples("")), IsEmpty());
  expect_refused(disk_samples("8 0\n"), "'8 0'");
  expect_refused(disk_samples("8 0 sda 1 2 3\n"), "sda 1 2 3");
  expect_refused(disk_samples("8 0 sda 1 0 8 1 1 0 x 1 0 1 1\n"), "/proc/diskstats");
}

std::vector<std::string> shown_mounts(std::string_view text) {
  std::vector<std::string> lines;
  const auto mounts = local_mounts(text);
  if (!mounts.ok()) return {mounts.status().to_string()};
  for (const Mount& mount : *mounts) {
    lines.push_back(mount.device + " " + mount.type + " " + mount.path);
  }
  return lines;
}

TEST(LocalMounts, AreThoseOnDevicesEachOnceAndTheRoot) {
  EXPECT_THAT(shown_mounts("overlay / overlay rw 0 0\n"
                           "proc /proc proc rw 0 0\n"
                           "/dev/sda1 /data ext4 rw 0 0\n"
                           "/dev/sda1 /etc/hosts ext4 rw 0 0\n"
                           "/dev/loop3 /snap/core squashfs ro 0 0\n"
                           "server:/export /mnt nfs4 rw 0 0\n"
                           "tank/home /home zfs rw 0 0\n"),
              ElementsAre("overlay overlay /", "/dev/sda1 ext4 /data", "tank/home zfs /home"));
}

TEST(LocalMounts, ShowTheLastOfOnePlaceAndUnescapePaths) {
  EXPECT_THAT(shown_mounts("rootfs / rootfs rw 0 0\n/dev/sda2 / ext4 rw 0 0\n"
                           "/dev/sdb1 /my\\040disk\\0 ext4 rw 0 0\n"),
              ElementsAre("/dev/sda2 ext4 /", "/dev/sdb1 ext4 /my disk\\0"));
}

TEST(LocalMounts, RefuseWhatIsNoTable) { expect_refused(local_mounts("/dev/sda1 /\n"), "sda1"); }

TEST(Millidegrees, AreDegreesBelowZeroToo) {
  EXPECT_EQ(*parse_millidegrees("45500\n"), 45.5);
  EXPECT_EQ(*parse_millidegrees("-1250\n"), -1.25);
  expect_refused(parse_millidegrees(""), "the sensor");
  expect_refused(parse_millidegrees("hot\n"), "hot");
  expect_refused(parse_millidegrees("1 2\n"), "1 2");
}

TEST(HostBatch, IsABodyOfSamples) {
  EXPECT_EQ(host_batch_json("a\"b", 1'500'999'999,
                            {{"x_bytes", {{"device", "sda"}}, uint64_t{9'007'199'254'740'993}},
                             {"y", {}, 0.5}}),
            R"({"samples":[{"name":"x_bytes","labels":{"host":"a\"b","device":"sda"},)"
            R"("timestamp":1500,"value":9007199254740993},)"
            R"({"name":"y","labels":{"host":"a\"b"},"timestamp":1500,"value":0.5}]})");
}

}  // namespace
}  // namespace firn
