#pragma once

#include <bit>
#include <cstdint>
#include <protozero/pbf_reader.hpp>

#include "base/bytes.h"

// Reading protobuf field by field. protozero throws on malformed input; who reads catches. Inside
// wire only.
namespace firn {

using ProtobufMessage = protozero::pbf_reader;

// A field with its wire type. A known field with another type is skipped like an unknown one, as
// protobuf does; asking protozero for it with the wrong accessor would be our own mistake.
constexpr uint32_t varint_field(uint32_t tag) {
  return protozero::tag_and_type(tag, protozero::pbf_wire_type::varint);
}
constexpr uint32_t fixed32_field(uint32_t tag) {
  return protozero::tag_and_type(tag, protozero::pbf_wire_type::fixed32);
}
constexpr uint32_t fixed64_field(uint32_t tag) {
  return protozero::tag_and_type(tag, protozero::pbf_wire_type::fixed64);
}
constexpr uint32_t bytes_field(uint32_t tag) {
  return protozero::tag_and_type(tag, protozero::pbf_wire_type::length_delimited);
}

inline ByteView view_of(ProtobufMessage* message) {
  const protozero::data_view data = message->get_view();
  return {data.data(), data.size()};
}
inline ProtobufMessage reader_of(ByteView data) { return {data.data(), data.size()}; }
// protozero's accessor goes by float registers, which may quieten a NaN.
inline double double_of(ProtobufMessage* message) {
  return std::bit_cast<double>(message->get_fixed64());
}

}  // namespace firn
