#include "cli/host_reader.h"

#include <iterator>
#include <utility>

#include "base/size.h"

namespace firn {

namespace {

constexpr uint64_t kFileBytesMax = 4 * kMiB;  // /proc/stat of a machine with thousands of devices
constexpr size_t kWarningsMax = 100;

}  // namespace

HostReader::HostReader(Env* env, SpaceOf space_of, Warn warn)
    : env_(env), space_of_(std::move(space_of)), warn_(std::move(warn)) {}

Result<std::string> HostReader::host_name() const {
  FIRN_ASSIGN(std::string name,
              read_generated_file(env_, "/proc/sys/kernel/hostname", kFileBytesMax));
  while (name.ends_with('\n')) name.pop_back();
  return name;
}

HostSamples HostReader::read() {
  samples_.clear();
  sensors_.clear();
  add_file("/proc/stat", cpu_samples);
  add_file("/proc/loadavg", load_samples);
  add_file("/proc/meminfo", memory_samples);
  add_file("/proc/diskstats", disk_samples);
  add_file("/proc/net/dev", network_samples);
  add_space();
  add_temperatures();
  return std::exchange(samples_, {});
}

void HostReader::add_file(const std::string& path, Parser parse) {
  const Result<std::string> text = read_generated_file(env_, path, kFileBytesMax);
  if (!text.ok()) return warn_once(path, text.status());
  Result<HostSamples> parsed = parse(*text);
  if (!parsed.ok()) return warn_once(path, parsed.status());
  std::move(parsed->begin(), parsed->end(), std::back_inserter(samples_));
}

void HostReader::add_space() {
  const std::string path = "/proc/self/mounts";
  const Result<std::string> text = read_generated_file(env_, path, kFileBytesMax);
  if (!text.ok()) return warn_once(path, text.status());
  const Result<std::vector<Mount>> mounts = local_mounts(*text);
  if (!mounts.ok()) return warn_once(path, mounts.status());
  for (const Mount& mount : *mounts) {
    const Result<FileSystemSpace> space = space_of_(mount.path);
    if (!space.ok()) {
      warn_once(mount.path, space.status());
      continue;
    }
    const auto add = [&](const char* name, uint64_t bytes) {
      samples_.push_back(
          {name,
           {{"device", mount.device}, {"fstype", mount.type}, {"mountpoint", mount.path}},
           bytes});
    };
    add("node_filesystem_size_bytes", space->size_bytes);
    add("node_filesystem_free_bytes", space->free_bytes);
    add("node_filesystem_avail_bytes", space->available_bytes);
  }
}

void HostReader::add_temperatures() {
  if (!add_chips()) add_zones();
}

bool HostReader::add_chips() {
  const std::string root = "/sys/class/hwmon";
  const size_t before = samples_.size();
  for (const std::string& name : names_in(root, "hwmon")) {
    const std::string chip = join_path(root, name);
    for (const std::string& input : names_in(chip, "temp")) {
      constexpr std::string_view kInput = "_input";
      if (!input.ends_with(kInput)) continue;
      const std::string number = input.substr(0, input.size() - kInput.size());
      const std::string label = line_of(join_path(chip, number + "_label"));
      add_temperature("node_hwmon_temp_celsius", join_path(chip, input),
                      line_of(join_path(chip, "name")) + "/" + (label.empty() ? number : label));
    }
  }
  return samples_.size() > before;
}

void HostReader::add_zones() {
  const std::string root = "/sys/class/thermal";
  for (const std::string& name : names_in(root, "thermal_zone")) {
    const std::string zone = join_path(root, name);
    add_temperature("node_thermal_zone_temp", join_path(zone, "temp"),
                    line_of(join_path(zone, "type")));
  }
}

void HostReader::add_temperature(const std::string& name, const std::string& path,
                                 const std::string& sensor) {
  // Two chips of one kind have one name. A sensor that does not answer keeps its number all the
  // same, so that the others keep theirs.
  std::string unique = sensor;
  for (int i = 2; !sensors_.insert(unique).second; ++i) unique = sensor + "#" + std::to_string(i);
  // A sensor of a device that sleeps cannot be read; that is no news.
  const Result<std::string> text = read_generated_file(env_, path, kFileBytesMax);
  if (!text.ok()) return;
  const Result<double> degrees = parse_millidegrees(*text);
  if (!degrees.ok()) return warn_once(path, degrees.status().with_context(path));
  samples_.push_back({name, {{"sensor", unique}}, *degrees});
}

std::vector<std::string> HostReader::names_in(const std::string& directory,
                                              std::string_view begin) {
  std::vector<std::string> names;
  const auto entries = env_->list_directory(directory);
  if (!entries.ok()) {
    if (entries.status().code() != StatusCode::kNotFound) warn_once(directory, entries.status());
    return names;
  }
  for (const DirectoryEntry& entry : *entries) {
    if (entry.name.starts_with(begin)) names.push_back(entry.name);
  }
  return names;
}

std::string HostReader::line_of(const std::string& path) const {
  const Result<std::string> text = read_generated_file(env_, path, kFileBytesMax);
  return text.ok() ? text->substr(0, text->find('\n')) : std::string();
}

void HostReader::warn_once(const std::string& path, const Status& status) {
  if (warned_.size() < kWarningsMax && warned_.insert(path).second) warn_(status);
}

}  // namespace firn
