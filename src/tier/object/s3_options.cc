#include "tier/object/s3_options.h"

#include <algorithm>

#include "tier/object/object_store.h"

namespace firn {

namespace {

constexpr std::string_view kScheme = "s3://";
constexpr uint64_t kPartBytesMin = 5 * kMiB;
constexpr uint64_t kPartBytesMax = 1 * kGiB;

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._:[]").find(c) != std::string_view::npos;
}

// The length of "http://" or "https://" at the start, 0 for neither.
size_t scheme_size(std::string_view endpoint) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (endpoint.starts_with(scheme)) return scheme.size();
  }
  return 0;
}

Status check_bucket(const std::string& bucket) {
  const bool has_good_characters = std::all_of(bucket.begin(), bucket.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
  });
  if (bucket.size() < 3 || bucket.size() > 63 || !has_good_characters) {
    return invalid_argument("'" + bucket +
                            "' is no bucket: 3 to 63 lower-case letters, digits, '.', '-'");
  }
  return {};
}

Status check_endpoint(const std::string& endpoint) {
  const size_t scheme = scheme_size(endpoint);
  const std::string_view host = std::string_view(endpoint).substr(scheme);
  if (scheme == 0 || host.empty() || !std::all_of(host.begin(), host.end(), is_host_character)) {
    return invalid_argument("endpoint '" + endpoint +
                            "' is not an address; write https://HOST or https://HOST:PORT");
  }
  return {};
}

bool uses_path_style(const S3Options& options) {
  return options.path_style.value_or(!options.endpoint.empty());
}

}  // namespace

Status parse_s3_url(std::string_view url, S3Options* options) {
  if (!url.starts_with(kScheme)) {
    return invalid_argument("url '" + std::string(url) + "' does not begin with s3://");
  }
  const std::string_view rest = url.substr(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  options->bucket = rest.substr(0, slash);
  std::string_view prefix = rest.substr(std::min(slash + 1, rest.size()));
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  options->prefix = prefix;
  FIRN_TRY(check_bucket(options->bucket));
  return options->prefix.empty() ? Status() : check_object_key(options->prefix);
}

Status validate_s3_options(const S3Options& options) {
  FIRN_TRY(check_bucket(options.bucket));
  if (!options.prefix.empty()) FIRN_TRY(check_object_key(options.prefix));
  if (options.region.empty() ||
      !std::all_of(options.region.begin(), options.region.end(), is_host_character)) {
    return invalid_argument("region '" + options.region + "' is no region, such as eu-central-1");
  }
  if (!options.endpoint.empty()) FIRN_TRY(check_endpoint(options.endpoint));
  if (!uses_path_style(options) && options.bucket.find('.') != std::string::npos) {
    return invalid_argument("bucket '" + options.bucket +
                            "' has dots, which no certificate covers as part of a host name; set "
                            "path_style: true");
  }
  if (options.part_bytes < kPartBytesMin || options.part_bytes > kPartBytesMax) {
    return invalid_argument("the parts of an upload must have 5 MiB to 1 GiB");
  }
  return {};
}

S3Address s3_address(const S3Options& options) {
  const std::string endpoint = options.endpoint.empty()
                                   ? "https://s3." + options.region + ".amazonaws.com"
                                   : options.endpoint;
  const size_t scheme = scheme_size(endpoint);
  S3Address address;
  address.host = endpoint.substr(scheme);
  if (uses_path_style(options)) {
    address.path = "/" + options.bucket;
  } else {
    address.host = options.bucket + "." + address.host;
  }
  address.origin = endpoint.substr(0, scheme) + address.host;
  return address;
}

}  // namespace firn
