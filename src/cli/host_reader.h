#pragma once

#include <functional>
#include <set>
#include <string>

#include "cli/host_metrics.h"
#include "env/env.h"
#include "env/posix_space.h"

namespace firn {

// Takes readings of a Linux machine from /proc and /sys. Thread rule: one thread.
class HostReader {
 public:
  using SpaceOf = std::function<Result<FileSystemSpace>(const std::string&)>;
  // What cannot be read is told here, once for each path; the rest is read all the same.
  using Warn = std::function<void(const Status&)>;

  // `env` must outlive the reader.
  HostReader(Env* env, SpaceOf space_of, Warn warn);

  // What the machine calls itself; kNotFound where there is no /proc.
  Result<std::string> host_name() const;

  // What there is to read now. Parts that this machine does not have are left out, so that it may
  // be empty.
  HostSamples read();

 private:
  using Parser = Result<HostSamples> (*)(std::string_view);

  // Adds what a file of /proc says.
  void add_file(const std::string& path, Parser parse);
  void add_space();
  // Adds the temperatures of the chips, or of the zones where no chip has any.
  void add_temperatures();
  bool add_chips();
  void add_zones();
  void add_temperature(const std::string& name, const std::string& path, const std::string& sensor);
  // The names in a directory that begin so; none when it is not there.
  std::vector<std::string> names_in(const std::string& directory, std::string_view begin);
  // The first line of a small file; empty when there is none.
  std::string line_of(const std::string& path) const;
  void warn_once(const std::string& path, const Status& status);

  Env* const env_;
  const SpaceOf space_of_;
  const Warn warn_;
  std::set<std::string> warned_;   // paths
  HostSamples samples_;            // of the reading that is being taken
  std::set<std::string> sensors_;  // whose names it has used
};

}  // namespace firn
