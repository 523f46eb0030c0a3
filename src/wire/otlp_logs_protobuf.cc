#include <fmt/format.h>

#include <cstring>
#include <exception>
#include <protozero/pbf_reader.hpp>

#include "wire/otlp_readers.h"

namespace firn {
namespace {

using protozero::pbf_reader;
using Type = protozero::pbf_wire_type;

// A field with its wire type. A known field with another type is skipped like an unknown one, as
// protobuf does; asking protozero for it with the wrong accessor would be our own mistake.
constexpr uint32_t kVarint(uint32_t tag) { return protozero::tag_and_type(tag, Type::varint); }
constexpr uint32_t kFixed32(uint32_t tag) { return protozero::tag_and_type(tag, Type::fixed32); }
constexpr uint32_t kFixed64(uint32_t tag) { return protozero::tag_and_type(tag, Type::fixed64); }
constexpr uint32_t kBytes(uint32_t tag) {
  return protozero::tag_and_type(tag, Type::length_delimited);
}

ByteView view(pbf_reader* message) {
  const protozero::data_view bytes = message->get_view();
  return {bytes.data(), bytes.size()};
}

pbf_reader reader_of(ByteView bytes) { return pbf_reader(bytes.data(), bytes.size()); }

template <size_t kSize>
void copy_id(ByteView bytes, std::array<uint8_t, kSize>* id) {
  id->fill(0);  // an id of another length is no id; so is all zero
  if (bytes.size() == kSize) std::memcpy(id->data(), bytes.data(), kSize);
}

// Reads the messages. protozero throws on malformed input; the exceptions stay inside this file.
class LogsReader {
 public:
  LogsReader(const Limits& limits, OtlpLogRows* rows)
      : rows_(rows),
        depth_max_(otlp_value_depth_max(limits)),
        resource_tree_(otlp_values_max(limits)),
        scope_tree_(otlp_values_max(limits)),
        tree_(otlp_values_max(limits)) {}

  bool too_deep() const { return too_deep_; }

  void request(ByteView bytes) {
    for (pbf_reader message = reader_of(bytes); message.next();) {
      if (message.tag_and_type() == kBytes(1)) {
        resource_logs(view(&message));
      } else {
        message.skip();
      }
    }
  }

 private:
  // The resource may stand behind its logs, so the logs are read in a second walk over the fields.
  void resource_logs(ByteView bytes) {
    OtlpResource resource;
    resource_tree_.clear();
    resource.attributes = resource_tree_.add(AnyNode::Kind::kMap);
    for (pbf_reader message = reader_of(bytes); message.next();) {
      switch (message.tag_and_type()) {
        case kBytes(1):
          read_resource(view(&message), &resource);
          break;
        case kBytes(3):
          resource.schema_url = view(&message);
          break;
        default:
          message.skip();
      }
    }
    for (pbf_reader message = reader_of(bytes); message.next();) {
      if (message.tag_and_type() == kBytes(2)) {
        scope_logs(view(&message), resource);
      } else {
        message.skip();
      }
    }
  }

  void read_resource(ByteView bytes, OtlpResource* resource) {
    for (pbf_reader message = reader_of(bytes); message.next();) {
      switch (message.tag_and_type()) {
        case kBytes(1):
          key_value(view(&message), resource->attributes, 0, &resource_tree_);
          break;
        case kVarint(2):
          resource->dropped_attributes_count = message.get_uint32();
          break;
        default:
          message.skip();
      }
    }
  }

  void scope_logs(ByteView bytes, const OtlpResource& resource) {
    OtlpScope scope;
    scope_tree_.clear();
    scope.attributes = scope_tree_.add(AnyNode::Kind::kMap);
    for (pbf_reader message = reader_of(bytes); message.next();) {
      switch (message.tag_and_type()) {
        case kBytes(1):
          read_scope(view(&message), &scope);
          break;
        case kBytes(3):
          scope.schema_url = view(&message);
          break;
        default:
          message.skip();
      }
    }
    rows_->begin_scope(resource, resource_tree_, scope, scope_tree_);
    for (pbf_reader message = reader_of(bytes); message.next();) {
      if (message.tag_and_type() == kBytes(2)) {
        log_record(view(&message));
      } else {
        message.skip();
      }
    }
  }

  void read_scope(ByteView bytes, OtlpScope* scope) {
    for (pbf_reader message = reader_of(bytes); message.next();) {
      switch (message.tag_and_type()) {
        case kBytes(1):
          scope->name = view(&message);
          break;
        case kBytes(2):
          scope->version = view(&message);
          break;
        case kBytes(3):
          key_value(view(&message), scope->attributes, 0, &scope_tree_);
          break;
        case kVarint(4):
          scope->dropped_attributes_count = message.get_uint32();
          break;
        default:
          message.skip();
      }
    }
  }

  void log_record(ByteView bytes) {
    OtlpLogRecord record;
    tree_.clear();
    record.attributes = tree_.add(AnyNode::Kind::kMap);
    for (pbf_reader message = reader_of(bytes); message.next();) {
      switch (message.tag_and_type()) {
        case kFixed64(1):
          record.time_unix_nano = message.get_fixed64();
          break;
        case kVarint(2):
          record.severity_number = message.get_int32();
          break;
        case kBytes(3):
          record.severity_text = view(&message);
          break;
        case kBytes(5):
          if (record.body == 0) record.body = tree_.add(AnyNode::Kind::kUnset);
          any_value(view(&message), record.body, 0, &tree_);
          break;
        case kBytes(6):
          key_value(view(&message), record.attributes, 0, &tree_);
          break;
        case kVarint(7):
          record.dropped_attributes_count = message.get_uint32();
          break;
        case kFixed32(8):
          record.flags = message.get_fixed32();
          break;
        case kBytes(9):
          copy_id(view(&message), &record.trace_id.bytes);
          break;
        case kBytes(10):
          copy_id(view(&message), &record.span_id);
          break;
        case kFixed64(11):
          record.observed_time_unix_nano = message.get_fixed64();
          break;
        case kBytes(12):
          record.event_name = view(&message);
          break;
        default:
          message.skip();
      }
    }
    rows_->add(record, tree_);
  }

  void key_value(ByteView bytes, uint32_t map, uint32_t depth, AnyTree* tree) {
    const uint32_t child = tree->add_child(map);
    for (pbf_reader message = reader_of(bytes); message.next();) {
      switch (message.tag_and_type()) {
        case kBytes(1):
          tree->node(child).key = view(&message);
          break;
        case kBytes(2):
          any_value(view(&message), child, depth, tree);
          break;
        default:
          message.skip();
      }
    }
  }

  // Adds what the message says to a node, which may have been set before: the last member wins.
  void any_value(ByteView bytes, uint32_t node, uint32_t depth, AnyTree* tree) {
    for (pbf_reader message = reader_of(bytes); message.next();) {
      AnyNode& value = tree->node(node);
      switch (message.tag_and_type()) {
        case kBytes(1):
          value.kind = AnyNode::Kind::kString;
          value.text = view(&message);
          break;
        case kVarint(2):
          value.kind = AnyNode::Kind::kBool;
          value.boolean = message.get_bool();
          break;
        case kVarint(3):
          value.kind = AnyNode::Kind::kInt;
          value.integer = message.get_int64();
          break;
        case kFixed64(4):
          value.kind = AnyNode::Kind::kDouble;
          value.number = message.get_double();
          break;
        case kBytes(5):
          container(view(&message), node, AnyNode::Kind::kArray, depth, tree);
          break;
        case kBytes(6):
          container(view(&message), node, AnyNode::Kind::kMap, depth, tree);
          break;
        case kBytes(7):
          value.kind = AnyNode::Kind::kBytes;
          value.text = view(&message);
          break;
        default:
          message.skip();
      }
    }
  }

  void container(ByteView bytes, uint32_t node, AnyNode::Kind kind, uint32_t depth, AnyTree* tree) {
    if (depth >= depth_max_) {
      too_deep_ = true;
      return;
    }
    tree->set_container(node, kind);
    for (pbf_reader message = reader_of(bytes); message.next();) {
      if (message.tag_and_type() != kBytes(1)) {
        message.skip();
      } else if (kind == AnyNode::Kind::kMap) {
        key_value(view(&message), node, depth + 1, tree);
      } else {
        const uint32_t child = tree->add_child(node);
        any_value(view(&message), child, depth + 1, tree);
      }
    }
  }

  OtlpLogRows* rows_;
  const uint32_t depth_max_;
  bool too_deep_ = false;
  AnyTree resource_tree_, scope_tree_, tree_;
};

}  // namespace

Status read_otlp_logs_protobuf(ByteView body, const Limits& limits, OtlpLogRows* rows) {
  LogsReader reader(limits, rows);
  try {
    reader.request(body);
  } catch (const std::exception& error) {  // protozero's errors about malformed input
    return invalid_argument(fmt::format("the body is not an OTLP logs request: {}", error.what()));
  }
  if (reader.too_deep()) {
    return too_large(fmt::format("a value is nested deeper than {}, which json_depth {} allows",
                                 otlp_value_depth_max(limits), limits.json_depth));
  }
  return {};
}

}  // namespace firn
