#pragma once

#include <array>
#include <cstring>
#include <protozero/pbf_reader.hpp>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "wire/otlp_rows.h"

namespace firn {

// What the protobuf forms of all signals share: the envelope of resources and scopes, attributes
// and values. A signal derives from it and reads its records. protozero throws on malformed input;
// the exceptions stay inside read(). Inside wire only. One thread.
class OtlpProtobufReader {
 public:
  // Reads a request into `rows`; `what` ("logs") is for messages.
  Status read(ByteView body, std::string_view what);

 protected:
  using Message = protozero::pbf_reader;

  OtlpProtobufReader(const Limits& limits, OtlpRows* rows);
  ~OtlpProtobufReader() = default;

  // A record of the scope that was begun last.
  virtual void record(ByteView bytes) = 0;

  // A field with its wire type. A known field with another type is skipped like an unknown one, as
  // protobuf does; asking protozero for it with the wrong accessor would be our own mistake.
  static constexpr uint32_t varint(uint32_t tag) {
    return protozero::tag_and_type(tag, protozero::pbf_wire_type::varint);
  }
  static constexpr uint32_t fixed32(uint32_t tag) {
    return protozero::tag_and_type(tag, protozero::pbf_wire_type::fixed32);
  }
  static constexpr uint32_t fixed64(uint32_t tag) {
    return protozero::tag_and_type(tag, protozero::pbf_wire_type::fixed64);
  }
  static constexpr uint32_t bytes(uint32_t tag) {
    return protozero::tag_and_type(tag, protozero::pbf_wire_type::length_delimited);
  }
  static ByteView view(Message* message) {
    const protozero::data_view data = message->get_view();
    return {data.data(), data.size()};
  }
  static Message reader_of(ByteView data) { return Message(data.data(), data.size()); }
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
