#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"
#include "base/time.h"

namespace firn {

// What the texts of Linux's /proc and /sys say, as samples. Names and labels are in
// docs/operating.md, "Watching a machine". All functions here are pure: any thread. A text that is
// not what the kernel writes is kInvalidArgument, naming the line; nothing of it is returned.

struct HostSample {
  std::string name{};
  std::vector<std::pair<std::string, std::string>> labels{};
  std::variant<uint64_t, double> value{};
};

using HostSamples = std::vector<HostSample>;

// /proc/stat: the time of all processors together, in seconds, by mode. Modes that an old kernel
// does not tell are left out.
Result<HostSamples> cpu_samples(std::string_view stat);
// /proc/loadavg.
Result<HostSamples> load_samples(std::string_view loadavg);
// /proc/meminfo: memory and swap, in bytes. What an old kernel does not tell is left out.
Result<HostSamples> memory_samples(std::string_view meminfo);
// /proc/net/dev: without the loopback device and the ends of containers' cables (veth).
Result<HostSamples> network_samples(std::string_view net_dev);
// /proc/diskstats: whole disks, without loop devices and disks in memory.
Result<HostSamples> disk_samples(std::string_view diskstats);

struct Mount {
  std::string device{};
  std::string path{};
  std::string type{};
};
// /proc/self/mounts: the file systems on devices of this machine, each once, at the first place
// where it is mounted; the root whatever it is on.
Result<std::vector<Mount>> local_mounts(std::string_view mounts);

// A file of /sys with a temperature in thousandths of a degree: degrees Celsius.
Result<double> parse_millidegrees(std::string_view text);

// The body of metrics:batch (docs/formats/samples_json.md): every sample at `time`, to the
// millisecond, and with the label `host`.
std::string host_batch_json(std::string_view host, TimeNs time, const HostSamples& samples);

}  // namespace firn
