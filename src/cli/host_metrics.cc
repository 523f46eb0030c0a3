#include "cli/host_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "wire/json_text.h"

namespace firn {

namespace {

// Linux tells times in hundredths of a second on every machine (USER_HZ), and counts sectors of
// 512 bytes whatever those of the disk are.
constexpr double kTicksPerSecond = 100;
constexpr uint64_t kSectorBytes = 512;
constexpr uint64_t kMeminfoUnitBytes = 1024;

std::vector<std::string_view> split_words(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  std::vector<std::string_view> words;
  while (true) {
    const size_t begin = line.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const size_t end = std::min(line.find_first_of(kBlank), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// Nothing unless all of the text is one number.
template <typename Number>
std::optional<Number> parse_whole(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

Status malformed(std::string_view file, std::string_view line) {
  constexpr size_t kShown = 120;
  return invalid_argument(
      fmt::format("{} has a line that is not understood: '{}'", file, line.substr(0, kShown)));
}

// The words from `first` on as numbers; nothing when one is none.
std::optional<std::vector<uint64_t>> parse_counters(const std::vector<std::string_view>& words,
                                                    size_t first) {
  std::vector<uint64_t> counters;
  for (size_t i = first; i < words.size(); ++i) {
    const auto number = parse_whole<uint64_t>(words[i]);
    if (!number.has_value()) return std::nullopt;
    counters.push_back(*number);
  }
  return counters;
}

// Whether the device is a partition of a disk: the kernel adds a number to the disk's name, behind
// a "p" when that ends in a digit.
bool is_partition(std::string_view device, const std::vector<std::string>& disks) {
  return std::any_of(disks.begin(), disks.end(), [&](const std::string& disk) {
    if (!device.starts_with(disk) || device.size() == disk.size()) return false;
    std::string_view rest = device.substr(disk.size());
    const char last = disk.back();
    if (last >= '0' && last <= '9') {
      if (rest.front() != 'p') return false;
      rest.remove_prefix(1);
    }
    return parse_whole<uint32_t>(rest).has_value();
  });
}

// Blanks and backslashes in /proc/self/mounts are written as \ooo.
std::string unescape_octal(std::string_view text) {
  constexpr size_t kDigits = 3;
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char* digits = text.data() + i + 1;
    if (text[i] == '\\' && i + kDigits < text.size() &&
        std::from_chars(digits, digits + kDigits, value, 8).ptr == digits + kDigits &&
        value < 256) {
      plain.push_back(static_cast<char>(value));
      i += kDigits;
      continue;
    }
    plain.push_back(text[i]);
  }
  return plain;
}

}  // namespace

Result<HostSamples> cpu_samples(std::string_view stat) {
  constexpr std::array kModes{"user",   "nice", "system",  "idle",
                              "iowait", "irq",  "softirq", "steal"};
  constexpr size_t kModesMin = 4;
  for (const std::string_view line : split_lines(stat)) {
    const auto words = split_words(line);
    if (words.empty() || words[0] != "cpu") continue;
    const auto ticks = parse_counters(words, 1);
    if (!ticks.has_value() || ticks->size() < kModesMin) return malformed("/proc/stat", line);
    HostSamples samples;
    for (size_t i = 0; i < std::min(kModes.size(), ticks->size()); ++i) {
      samples.push_back({"node_cpu_seconds_total",
                         {{"mode", kModes[i]}},
                         static_cast<double>((*ticks)[i]) / kTicksPerSecond});
    }
    return samples;
  }
  return invalid_argument("/proc/stat has no line 'cpu'");
}

Result<HostSamples> load_samples(std::string_view loadavg) {
  const auto words = split_words(loadavg.substr(0, loadavg.find('\n')));
  constexpr std::array kNames{"node_load1", "node_load5", "node_load15"};
  HostSamples samples;
  for (size_t i = 0; i < kNames.size(); ++i) {
    const auto load = i < words.size() ? parse_whole<double>(words[i]) : std::nullopt;
    if (!load.has_value()) return malformed("/proc/loadavg", loadavg);
    samples.push_back({kNames[i], {}, *load});
  }
  return samples;
}

Result<HostSamples> memory_samples(std::string_view meminfo) {
  constexpr std::array<std::string_view, 9> kMembers{"MemTotal", "MemFree",   "MemAvailable",
                                                     "Buffers",  "Cached",    "SReclaimable",
                                                     "Shmem",    "SwapTotal", "SwapFree"};
  HostSamples samples;
  for (const std::string_view line : split_lines(meminfo)) {
    const std::string_view member = line.substr(0, line.find(':'));
    if (std::find(kMembers.begin(), kMembers.end(), member) == kMembers.end()) continue;
    const auto words = split_words(line);
    const auto amount = words.size() == 3 ? parse_whole<uint64_t>(words[1]) : std::nullopt;
    if (!amount.has_value() || words[2] != "kB") return malformed("/proc/meminfo", line);
    samples.push_back(
        {fmt::format("node_memory_{}_bytes", member), {}, *amount * kMeminfoUnitBytes});
  }
  if (samples.empty()) return invalid_argument("/proc/meminfo has no line 'MemTotal'");
  return samples;
}

Result<HostSamples> network_samples(std::string_view net_dev) {
  struct Column {
    size_t index;
    const char* name;
  };
  constexpr std::array<Column, 8> kColumns{{{0, "receive_bytes"},
                                            {1, "receive_packets"},
                                            {2, "receive_errs"},
                                            {3, "receive_drop"},
                                            {8, "transmit_bytes"},
                                            {9, "transmit_packets"},
                                            {10, "transmit_errs"},
                                            {11, "transmit_drop"}}};
  constexpr size_t kColumnsMin = 12;
  HostSamples samples;
  for (const std::string_view line : split_lines(net_dev)) {
    if (line.find('|') != std::string_view::npos) continue;  // the two lines of headings
    // A name may hold a colon ("eth0:1"), numbers have none.
    const size_t colon = line.rfind(':');
    if (colon == std::string_view::npos) return malformed("/proc/net/dev", line);
    const auto name = split_words(line.substr(0, colon));
    const auto counters = parse_counters(split_words(line.substr(colon + 1)), 0);
    if (name.size() != 1 || !counters.has_value() || counters->size() < kColumnsMin) {
      return malformed("/proc/net/dev", line);
    }
    if (name[0] == "lo" || name[0].starts_with("veth")) continue;
    for (const Column& column : kColumns) {
      samples.push_back({fmt::format("node_network_{}_total", column.name),
                         {{"interface", std::string(name[0])}},
                         (*counters)[column.index]});
    }
  }
  return samples;
}

Result<HostSamples> disk_samples(std::string_view diskstats) {
  constexpr size_t kNumbersMin = 10;  // behind major, minor and name
  HostSamples samples;
  std::vector<std::string> disks;
  for (const std::string_view line : split_lines(diskstats)) {
    const auto words = split_words(line);
    if (words.size() < 3) return malformed("/proc/diskstats", line);
    const std::string device(words[2]);
    const auto numbers = parse_counters(words, 3);
    if (!numbers.has_value()) return malformed("/proc/diskstats", line);
    const bool in_memory =
        device.starts_with("loop") || device.starts_with("ram") || device.starts_with("zram");
    if (in_memory || is_partition(device, disks)) continue;
    if (numbers->size() < kNumbersMin) return malformed("/proc/diskstats", line);
    disks.push_back(device);
    const auto add = [&](const char* name, std::variant<uint64_t, double> value) {
      samples.push_back({fmt::format("node_disk_{}_total", name), {{"device", device}}, value});
    };
    const auto seconds = [&](size_t i) { return static_cast<double>((*numbers)[i]) / 1000; };
    add("reads_completed", (*numbers)[0]);
    add("read_bytes", (*numbers)[2] * kSectorBytes);
    add("read_time_seconds", seconds(3));
    add("writes_completed", (*numbers)[4]);
    add("written_bytes", (*numbers)[6] * kSectorBytes);
    add("write_time_seconds", seconds(7));
    add("io_time_seconds", seconds(9));
  }
  return samples;
}

Result<std::vector<Mount>> local_mounts(std::string_view mounts) {
  std::vector<Mount> local;
  for (const std::string_view line : split_lines(mounts)) {
    const auto words = split_words(line);
    if (words.size() < 3) return malformed("/proc/self/mounts", line);
    Mount mount{unescape_octal(words[0]), unescape_octal(words[1]), std::string(words[2])};
    const bool on_device = mount.device.starts_with("/dev/") || mount.type == "zfs";
    const bool is_image = mount.device.starts_with("/dev/loop");  // full by nature
    const bool is_root = mount.path == "/";
    if (!is_root && (!on_device || is_image)) continue;
    // A later mount at the same place hides the earlier one.
    const auto same_path = std::find_if(
        local.begin(), local.end(), [&](const Mount& other) { return other.path == mount.path; });
    const bool is_known = std::any_of(local.begin(), local.end(), [&](const Mount& other) {
      return other.device == mount.device;
    });
    if (same_path != local.end()) {
      *same_path = std::move(mount);
    } else if (!is_known) {
      local.push_back(std::move(mount));
    }
  }
  return local;
}

Result<double> parse_millidegrees(std::string_view text) {
  const auto words = split_words(text.substr(0, text.find('\n')));
  const auto number = words.size() == 1 ? parse_whole<int64_t>(words[0]) : std::nullopt;
  if (!number.has_value()) return malformed("the sensor", text);
  return static_cast<double>(*number) / 1000;
}

std::string host_batch_json(std::string_view host, TimeNs time, const HostSamples& samples) {
  std::string json = "{\"samples\":[";
  for (const HostSample& sample : samples) {
    if (json.back() == '}') json.push_back(',');
    JsonObjectWriter object(&json);
    object.text("name", sample.name);
    object.member("labels");
    JsonObjectWriter labels(&json);
    labels.text("host", host);
    for (const auto& [label, value] : sample.labels) labels.text(label, value);
    labels.close();
    object.integer("timestamp", time / kMillisecondNs);
    if (const auto* whole = std::get_if<uint64_t>(&sample.value)) {
      object.unsigned_integer("value", *whole);
    } else {
      object.number("value", std::get<double>(sample.value));
    }
    object.close();
  }
  json += "]}";
  return json;
}

}  // namespace firn
