#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "env/postgres_connection.h"
#include "server/config.h"
#include "wire/json_text.h"

// The only file that knows yaml-cpp; its exceptions end here.

namespace firn {

namespace {

using Values = std::vector<std::pair<std::string, std::string>>;

std::string place(const YAML::Node& node) {
  const YAML::Mark mark = node.Mark();
  return mark.is_null() ? "" : "line " + std::to_string(mark.line + 1) + ": ";
}

// yaml-cpp keeps both of two equal keys and finds the first; saying something twice is a mistake.
Status check_unique(const YAML::Node& map) {
  std::set<std::string> seen;
  for (const auto& member : map) {
    if (!member.first.IsScalar()) {
      return invalid_argument(place(member.first) + "a name must be a text");
    }
    if (seen.insert(member.first.Scalar()).second) continue;
    return invalid_argument(place(member.first) + "'" + member.first.Scalar() +
                            "' is given more than once");
  }
  return Status();
}

// Lists and maps as JSON, so that one text goes through all layers of the configuration.
void append_node_json(const YAML::Node& node, std::string* out) {
  if (node.IsMap()) {
    JsonObjectWriter object(out);
    for (const auto& member : node) {
      object.member(member.first.Scalar());
      append_node_json(member.second, out);
    }
    object.close();
  } else if (node.IsSequence()) {
    out->push_back('[');
    bool first = true;
    for (const auto& element : node) {
      if (!std::exchange(first, false)) out->push_back(',');
      append_node_json(element, out);
    }
    out->push_back(']');
  } else {
    append_json_string(node.IsNull() ? "" : node.Scalar(), out);
  }
}

Status check_unique_everywhere(const YAML::Node& node) {
  if (node.IsMap()) {
    FIRN_TRY(check_unique(node));
    for (const auto& member : node) FIRN_TRY(check_unique_everywhere(member.second));
  } else if (node.IsSequence()) {
    for (const auto& element : node) FIRN_TRY(check_unique_everywhere(element));
  }
  return Status();
}

Status flatten(const std::string& prefix, const YAML::Node& map, Values* values) {
  for (const auto& member : map) {
    const std::string name = prefix + member.first.Scalar();
    if (member.second.IsMap()) {
      FIRN_TRY(flatten(name + ".", member.second, values));
    } else if (member.second.IsSequence()) {
      std::string json;
      append_node_json(member.second, &json);
      values->emplace_back(name, std::move(json));
    } else if (member.second.IsScalar()) {
      values->emplace_back(name, member.second.Scalar());
    } else {
      return invalid_argument(place(member.first) + "'" + name + "' has no value");
    }
  }
  return Status();
}

Result<YAML::Node> load_yaml(std::string_view text) {
  try {
    return YAML::Load(std::string(text));
  } catch (const YAML::Exception& error) {
    return invalid_argument(std::string("not YAML: ") + error.what());
  }
}

Status refuse_tier(const YAML::Node& node, const std::string& tier, const std::string& what) {
  return invalid_argument(place(node) + (tier.empty() ? "" : "'" + tier + "': ") + what);
}

// "file:./cold" and "file:///var/cold" name directories, "s3://bucket/prefix" a bucket.
Status read_url(const YAML::Node& node, TierConfig* tier) {
  std::string url = node.Scalar();
  if (url.starts_with("s3://")) {
    tier->url = url;
    return Status();
  }
  if (!url.starts_with("file:")) {
    return refuse_tier(node, tier->name,
                       "url '" + url + "' is not supported; write file:DIRECTORY or s3://BUCKET");
  }
  url = url.substr(5);
  if (url.starts_with("//")) url = url.substr(2);
  if (url.starts_with("./")) url = url.substr(2);
  if (url.empty()) return refuse_tier(node, tier->name, "url names no directory");
  tier->directory = url;
  return Status();
}

// Where a text of the settings of S3 goes; null for another name.
std::string* s3_text(const std::string& name, S3Settings* s3) {
  if (name == "region") return &s3->region;
  if (name == "endpoint") return &s3->endpoint;
  if (name == "path_style") return &s3->path_style;
  if (name == "credentials") return &s3->credentials;
  if (name == "profile") return &s3->profile;
  if (name == "ca_file") return &s3->ca_file;
  return nullptr;
}
constexpr const char* kS3Texts[] = {"region",      "endpoint", "path_style",
                                    "credentials", "profile",  "ca_file"};

Result<DurationNs> read_duration(const std::string& name, const YAML::Node& value,
                                 const std::string& tier) {
  const auto duration = parse_duration(value.Scalar());
  if (duration.has_value()) return *duration;
  return refuse_tier(
      value, tier,
      name + " is '" + value.Scalar() + "'; it must be a duration such as 30d, or forever");
}

Result<uint64_t> read_size(const std::string& name, const YAML::Node& value,
                           const std::string& tier) {
  const auto size = parse_size(value.Scalar());
  if (size.has_value() && *size != 0) return *size;
  return refuse_tier(value, tier,
                     name + " is '" + value.Scalar() + "'; it must be a size such as 512MiB");
}

Status read_dataset_policy(const YAML::Node& node, const std::string& tier, DatasetPolicy* policy) {
  if (!node.IsMap()) return refuse_tier(node, tier, "a dataset is written {keep: 7d}");
  for (const auto& member : node) {
    const std::string name = member.first.Scalar();
    if (!member.second.IsScalar()) return refuse_tier(node, tier, name + " must be a text");
    if (name == "keep") {
      FIRN_ASSIGN(policy->keep_ns, read_duration(name, member.second, tier));
    } else if (name == "compress_after") {
      FIRN_ASSIGN(policy->compress_after_ns, read_duration(name, member.second, tier));
    } else if (name == "max_bytes") {
      FIRN_ASSIGN(policy->max_bytes, read_size(name, member.second, tier));
    } else {
      return refuse_tier(member.first, tier,
                         "a dataset has keep, compress_after and max_bytes, not '" + name + "'");
    }
  }
  return Status();
}

Status read_datasets(const YAML::Node& node, TierConfig* tier) {
  if (!node.IsMap()) {
    return refuse_tier(node, tier->name, "datasets are written {events: {keep: 7d}}");
  }
  for (const auto& member : node) {
    const auto dataset = parse_dataset(member.first.Scalar());
    if (!dataset.has_value()) {
      return refuse_tier(member.first, tier->name,
                         "there is no dataset '" + member.first.Scalar() + "'");
    }
    FIRN_TRY(read_dataset_policy(member.second, tier->name, &tier->datasets[*dataset]));
  }
  return Status();
}

// Members with a duration or a size.
Status read_tier_number(const std::string& name, const YAML::Node& value, TierConfig* tier) {
  if (name == "keep" || name == "compress_after") {
    FIRN_ASSIGN(const DurationNs duration, read_duration(name, value, tier->name));
    (name == "keep" ? tier->keep_ns : tier->compress_after_ns) = duration;
  }
  if (name == "max_memory" || name == "max_bytes" || name == "cache") {
    FIRN_ASSIGN(const uint64_t size, read_size(name, value, tier->name));
    if (name == "cache") {
      tier->s3.cache_bytes = size;
    } else {
      (name == "max_bytes" ? tier->max_bytes : tier->max_memory_bytes) = size;
    }
  }
  return Status();
}

Status read_names(const std::string& name, const YAML::Node& value, const std::string& tier,
                  std::vector<std::string>* names) {
  if (!value.IsSequence()) return refuse_tier(value, tier, name + " must be a list");
  for (const auto& key : value) {
    if (!key.IsScalar()) return refuse_tier(key, tier, name + " must be a list of names");
    names->push_back(key.Scalar());
  }
  return Status();
}

Status read_tier_member(const std::string& name, const YAML::Node& value, TierConfig* tier) {
  static const std::vector<std::string> kKnown = {
      "name",      "backend",  "keep",           "max_memory",
      "directory", "url",      "layout",         "promoted_attributes",
      "region",    "endpoint", "path_style",     "credentials",
      "profile",   "ca_file",  "cache",          "dsn",
      "schema",    "datasets", "compress_after", "max_bytes",
      "columns"};
  if (name == "datasets") return read_datasets(value, tier);
  if (name == "promoted_attributes") {
    return read_names(name, value, tier->name, &tier->promoted_attributes);
  }
  if (name == "columns") return read_names(name, value, tier->name, &tier->columns);
  if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
    const auto nearest = nearest_name(name, kKnown);
    return refuse_tier(value, tier->name,
                       "there is no member '" + name + "'" +
                           (nearest.has_value() ? "; did you mean '" + *nearest + "'?" : ""));
  }
  if (!value.IsScalar() || value.Scalar().empty()) {
    return refuse_tier(value, tier->name, name + " must be a text");
  }
  const std::string& text = value.Scalar();
  if (name == "name") tier->name = text;
  if (name == "backend") tier->backend = text;
  if (name == "layout") tier->layout = text;
  if (name == "directory") tier->directory = text;
  if (name == "dsn") tier->dsn = text;
  if (name == "schema") tier->schema = text;
  if (name == "url") FIRN_TRY(read_url(value, tier));
  if (std::string* s3 = s3_text(name, &tier->s3)) *s3 = text;
  return read_tier_number(name, value, tier);
}

Result<TierConfig> read_tier(const YAML::Node& node) {
  if (!node.IsMap()) {
    return refuse_tier(node, "", "each of the list is written {name: hot, ...}");
  }
  TierConfig tier;
  if (node["name"].IsDefined() && node["name"].IsScalar()) tier.name = node["name"].Scalar();
  for (const auto& member : node) {
    FIRN_TRY(read_tier_member(member.first.Scalar(), member.second, &tier));
  }
  if (node["url"].IsDefined() && node["directory"].IsDefined() && tier.url.empty()) {
    return refuse_tier(node, tier.name, "give url or directory, not both");
  }
  // What is local about a tier on S3 is in a directory of its name.
  if (!tier.url.empty() && tier.directory.empty()) tier.directory = tier.name;
  return tier;
}

}  // namespace

Result<Values> parse_config_file(std::string_view text) {
  FIRN_ASSIGN(const YAML::Node root, load_yaml(text));
  Values values;
  if (root.IsNull()) return values;
  if (!root.IsMap()) return invalid_argument("a configuration is a list of 'name: value'");
  FIRN_TRY(check_unique_everywhere(root));
  FIRN_TRY(flatten("", root, &values));
  return values;
}

Result<std::vector<TierConfig>> parse_exports(std::string_view text) {
  FIRN_ASSIGN(const YAML::Node root, load_yaml(text));
  if (!root.IsSequence()) {
    return invalid_argument("write a list, such as [{name: lake, url: 'file:/lake'}]");
  }
  FIRN_TRY(check_unique_everywhere(root));
  std::vector<TierConfig> exports;
  for (const auto& node : root) {
    for (const auto& member : node) {
      static const std::set<std::string> kPolicies = {"backend", "keep", "compress_after",
                                                      "max_bytes", "datasets"};
      if (!node.IsMap() || !kPolicies.contains(member.first.Scalar())) continue;
      return invalid_argument(place(member.first) + "a destination of exports has no '" +
                              member.first.Scalar() + "'");
    }
    FIRN_ASSIGN(TierConfig target, read_tier(node));
    target.backend = "parquet";
    // What is local about a destination on S3.
    if (!target.url.empty()) target.directory = "exports/" + target.name;
    exports.push_back(std::move(target));
  }
  return exports;
}

Result<std::vector<TierConfig>> parse_tiers(std::string_view text) {
  FIRN_ASSIGN(const YAML::Node root, load_yaml(text));
  if (!root.IsSequence() || root.size() == 0) {
    return invalid_argument("write a list, such as [{name: hot, backend: memory, keep: 1h}, ...]");
  }
  FIRN_TRY(check_unique_everywhere(root));
  std::vector<TierConfig> tiers;
  for (const auto& node : root) {
    FIRN_ASSIGN(TierConfig tier, read_tier(node));
    tiers.push_back(std::move(tier));
  }
  return tiers;
}

namespace {

void append_names(const char* member, const std::vector<std::string>& names,
                  JsonObjectWriter* object, std::string* out) {
  if (names.empty()) return;
  object->member(member);
  out->push_back('[');
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out->push_back(',');
    append_json_string(names[i], out);
  }
  out->push_back(']');
}

// What says where and how a parquet tier keeps its files.
void append_place(const TierConfig& tier, JsonObjectWriter* object, std::string* out) {
  if (!tier.url.empty()) object->text("url", tier.url);
  if (!tier.directory.empty()) object->text("directory", tier.directory);
  S3Settings s3 = tier.s3;
  for (const char* name : kS3Texts) {
    if (const std::string* text = s3_text(name, &s3); !text->empty()) object->text(name, *text);
  }
  if (s3.cache_bytes != 0) object->text("cache", std::to_string(s3.cache_bytes));
  append_names("columns", tier.columns, object, out);
}

void append_policies(const TierConfig& tier, JsonObjectWriter* object, std::string* out) {
  if (tier.compress_after_ns != kForever) {
    object->text("compress_after", format_duration(tier.compress_after_ns));
  }
  if (tier.max_bytes != 0) object->text("max_bytes", std::to_string(tier.max_bytes));
  if (tier.datasets.empty()) return;
  object->member("datasets");
  JsonObjectWriter datasets(out);
  for (const auto& [dataset, policy] : tier.datasets) {
    datasets.member(dataset_name(dataset));
    JsonObjectWriter members(out);
    if (policy.keep_ns) members.text("keep", format_duration(*policy.keep_ns));
    if (policy.compress_after_ns) {
      members.text("compress_after", format_duration(*policy.compress_after_ns));
    }
    if (policy.max_bytes) members.text("max_bytes", std::to_string(*policy.max_bytes));
    members.close();
  }
  datasets.close();
}

}  // namespace

std::string format_exports(const std::vector<TierConfig>& exports) {
  std::string out = "[";
  for (const TierConfig& target : exports) {
    if (out.size() > 1) out.push_back(',');
    JsonObjectWriter object(&out);
    object.text("name", target.name);
    append_place(target, &object, &out);
    object.close();
  }
  return out + "]";
}

std::string format_tiers(const std::vector<TierConfig>& tiers) {
  std::string out = "[";
  for (const TierConfig& tier : tiers) {
    if (out.size() > 1) out.push_back(',');
    JsonObjectWriter object(&out);
    object.text("name", tier.name);
    object.text("backend", tier.backend);
    object.text("keep", format_duration(tier.keep_ns));
    if (tier.max_memory_bytes != 0) {
      object.text("max_memory", std::to_string(tier.max_memory_bytes));
    }
    append_policies(tier, &object, &out);
    append_place(tier, &object, &out);
    if (!tier.dsn.empty()) object.text("dsn", mask_postgres_dsn(tier.dsn));
    if (!tier.schema.empty()) object.text("schema", tier.schema);
    if (!tier.layout.empty()) object.text("layout", tier.layout);
    append_names("promoted_attributes", tier.promoted_attributes, &object, &out);
    object.close();
  }
  out.push_back(']');
  return out;
}

}  // namespace firn
