#include "cli/command.h"

#include <algorithm>

namespace firn {

void add_common_options(CLI::App* command, CommonOptions* options, bool prints_rows) {
  command->add_option("--server", options->server, "address of the server")
      ->envname("FIRN_SERVER")
      ->capture_default_str();
  command->add_option("--namespace,-n", options->name_space, "namespace to work in")
      ->envname("FIRN_NAMESPACE")
      ->capture_default_str();
  if (!prints_rows) return;
  command->add_option("--output,-o", options->output, "form of the answer")
      ->check(CLI::IsMember({"table", "json", "csv", "ndjson"}))
      ->capture_default_str();
}

std::string namespace_path(const std::string& name) {
  return "/api/v1/namespaces/" + url_encode(name);
}

std::vector<std::string> reversed_arguments(std::vector<std::string> arguments) {
  const bool is_eventodb =
      !arguments.empty() && (arguments[0] == "export" || arguments[0] == "import");
  for (std::string& argument : arguments) {
    if (!is_eventodb || !argument.starts_with('-')) continue;
    const std::string_view name = std::string_view(argument).substr(1, argument.find('=') - 1);
    for (const std::string_view flag :
         {"url", "token", "categories", "since", "until", "gzip", "output", "input", "force"}) {
      if (name == flag) argument.insert(0, "-");
    }
  }
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

int report(const Status& status) {
  if (status.ok()) return kExitOk;
  std::fprintf(stderr, "firn: %s\n", std::string(status.message()).c_str());
  return kExitFailed;
}

int report(const Status& status, const Connection& connection) {
  const int code = report(status);
  return status.ok() || connection.reached() ? code : kExitUnreachable;
}

bool print(std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

}  // namespace firn
