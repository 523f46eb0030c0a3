#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "wire/json_reader.h"
#include "wire/otlp_rows.h"
#include "wire/string_pool.h"

namespace firn {

// A member's name: lowerCamelCase as the specification has it, or snake_case as senders have, too.
struct OtlpJsonName {
  std::string_view camel, snake;
  bool operator==(std::string_view key) const { return key == camel || key == snake; }
};

// What the JSON forms of all signals share: the envelope of resources and scopes, attributes and
// values. A signal derives from it and reads its records. Objects whose parts matter in another
// order than they may come in are first stepped over to find the parts. Inside wire only. One
// thread.
class OtlpJsonReader {
 public:
  // Reads a request into the rows; `what` ("logs") is for messages.
  Status read(std::string_view what);

 protected:
  // What the lists of a signal are called.
  struct Names {
    OtlpJsonName resources, scopes, records;
  };

  OtlpJsonReader(ByteView body, const Limits& limits, const Names& names, OtlpRows* rows);
  ~OtlpJsonReader() = default;

  // A record of the scope that was begun last. Errors stay in `json`.
  virtual void record(JsonReader* json) = 0;

  // The values of members. null is absent: the output stays as it is. False on a failure.
  static bool read_text(JsonReader* json, std::string_view* out);
  // A number, or text holding one.
  static bool read_unsigned(JsonReader* json, uint64_t* out);
  static bool read_unsigned(JsonReader* json, uint32_t* out);
  // An enum's number, or its name.
  static bool read_enum(JsonReader* json,
                        const std::function<std::optional<int64_t>(std::string_view)>& from_name,
                        int64_t* out);
  // Numbers, or texts holding one; of an integer outside 64 bits or with a fraction, a double.
  static bool read_double(JsonReader* json, double* out);
  static bool read_integer(JsonReader* json, AnyNode* out);
  static bool read_signed(JsonReader* json, int32_t* out);
  // Hexadecimal digits; anything else is no id: all zero.
  static bool read_id(JsonReader* json, uint8_t* out, size_t size);
  // An array of {"key":...,"value":...} into the children of a map. Texts that have to be built
  // live in the pool.
  bool attributes(JsonReader* json, uint32_t map, uint32_t depth, AnyTree* tree, StringPool* pool);
  bool any_value(JsonReader* json, uint32_t node, uint32_t depth, AnyTree* tree, StringPool* pool);

  // A reader of a part of the body; its offsets count from the body's begin. When it fails, the
  // record is as bad.
  JsonReader part(std::string_view raw, StringPool* pool) const;
  void check_part(const JsonReader& part) {
    if (part_error_.ok()) part_error_ = part.status();
  }

  AnyTree tree_;            // of the record
  StringPool record_pool_;  // for it

 private:
  Status request();
  Status resource_records(JsonReader* json);
  void read_resource(JsonReader* json, OtlpResource* resource);
  Status scope_records(JsonReader* json, const OtlpResource& resource);
  void read_scope(JsonReader* json, OtlpScope* scope);
  bool read_value_member(JsonReader* json, std::string_view key, uint32_t node, uint32_t depth,
                         AnyTree* tree, StringPool* pool);
  bool container(JsonReader* json, uint32_t node, AnyNode::Kind kind, uint32_t depth, AnyTree* tree,
                 StringPool* pool);

  const ByteView body_;
  const Names names_;
  OtlpRows* const rows_;
  const Limits& limits_;
  const uint32_t depth_max_;
  const uint64_t json_depth_;
  bool too_deep_ = false;
  Status part_error_;
  AnyTree resource_tree_, scope_tree_;
  StringPool pool_, scope_pool_;
};

}  // namespace firn
