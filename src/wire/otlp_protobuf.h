#pragma once

#include <array>
#include <cstring>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "wire/otlp_rows.h"
#include "wire/protobuf_fields.h"

namespace firn {

// What the protobuf forms of all signals share: the envelope of resources and scopes, attributes
// and values. A signal derives from it and reads its records. protozero throws on malformed input;
// the exceptions stay inside read(). Inside wire only. One thread.
class OtlpProtobufReader {
 public:
  // Reads a request into `rows`; `what` ("logs") is for messages.
  Status read(ByteView body, std::string_view what);

 protected:
  using Message = ProtobufMessage;

  OtlpProtobufReader(const Limits& limits, OtlpRows* rows);
  ~OtlpProtobufReader() = default;

  // A record of the scope that was begun last.
  virtual void record(ByteView bytes) = 0;

  // An id of another length is no id; so is all zero.
  template <size_t kSize>
  static void copy_id(ByteView data, std::array<uint8_t, kSize>* id) {
    id->fill(0);
    if (data.size() == kSize) std::memcpy(id->data(), data.data(), kSize);
  }
  void key_value(ByteView data, uint32_t map, uint32_t depth, AnyTree* tree);
  void any_value(ByteView data, uint32_t node, uint32_t depth, AnyTree* tree);
  // Whether a value was nested too deep to be read; the request is refused at its end.
  bool too_deep() const { return too_deep_; }

  AnyTree tree_;  // of the record

 private:
  void request(ByteView data);
  void resource_records(ByteView data);
  void read_resource(ByteView data, OtlpResource* resource);
  void scope_records(ByteView data, const OtlpResource& resource);
  void read_scope(ByteView data, OtlpScope* scope);
  void container(ByteView data, uint32_t node, AnyNode::Kind kind, uint32_t depth, AnyTree* tree);

  OtlpRows* const rows_;
  const Limits& limits_;
  const uint32_t depth_max_;
  bool too_deep_ = false;
  AnyTree resource_tree_, scope_tree_;
};

}  // namespace firn
