#include "wire/otlp_protobuf.h"

#include <fmt/format.h>

#include <exception>

namespace firn {

OtlpProtobufReader::OtlpProtobufReader(const Limits& limits, OtlpRows* rows)
    : tree_(otlp_values_max(limits)),
      rows_(rows),
      limits_(limits),
      depth_max_(otlp_value_depth_max(limits)),
      resource_tree_(otlp_values_max(limits)),
      scope_tree_(otlp_values_max(limits)) {}

Status OtlpProtobufReader::read(ByteView body, std::string_view what) {
  try {
    request(body);
  } catch (const std::exception& error) {  // protozero's errors about malformed input
    return invalid_argument(
        fmt::format("the body is not an OTLP {} request: {}", what, error.what()));
  }
  if (too_deep_) return otlp_too_deep(limits_);
  return {};
}

void OtlpProtobufReader::request(ByteView data) {
  for (Message message = reader_of(data); message.next();) {
    if (message.tag_and_type() == bytes_field(1)) {
      resource_records(view_of(&message));
    } else {
      message.skip();
    }
  }
}

// The resource may stand behind its logs, so the logs are read in a second walk over the fields.
void OtlpProtobufReader::resource_records(ByteView data) {
  OtlpResource resource;
  resource_tree_.clear();
  resource.attributes = resource_tree_.add(AnyNode::Kind::kMap);
  for (Message message = reader_of(data); message.next();) {
    switch (message.tag_and_type()) {
      case bytes_field(1):
        read_resource(view_of(&message), &resource);
        break;
      case bytes_field(3):
        resource.schema_url = view_of(&message);
        break;
      default:
        message.skip();
    }
  }
  for (Message message = reader_of(data); message.next();) {
    if (message.tag_and_type() == bytes_field(2)) {
      scope_records(view_of(&message), resource);
    } else {
      message.skip();
    }
  }
}

void OtlpProtobufReader::read_resource(ByteView data, OtlpResource* resource) {
  for (Message message = reader_of(data); message.next();) {
    switch (message.tag_and_type()) {
      case bytes_field(1):
        key_value(view_of(&message), resource->attributes, 0, &resource_tree_);
        break;
      case varint_field(2):
        resource->dropped_attributes_count = message.get_uint32();
        break;
      default:
        message.skip();
    }
  }
}

void OtlpProtobufReader::scope_records(ByteView data, const OtlpResource& resource) {
  OtlpScope scope;
  scope_tree_.clear();
  scope.attributes = scope_tree_.add(AnyNode::Kind::kMap);
  for (Message message = reader_of(data); message.next();) {
    switch (message.tag_and_type()) {
      case bytes_field(1):
        read_scope(view_of(&message), &scope);
        break;
      case bytes_field(3):
        scope.schema_url = view_of(&message);
        break;
      default:
        message.skip();
    }
  }
  rows_->begin_scope(resource, resource_tree_, scope, scope_tree_);
  for (Message message = reader_of(data); message.next();) {
    if (message.tag_and_type() == bytes_field(2)) {
      record(view_of(&message));
    } else {
      message.skip();
    }
  }
}

void OtlpProtobufReader::read_scope(ByteView data, OtlpScope* scope) {
  for (Message message = reader_of(data); message.next();) {
    switch (message.tag_and_type()) {
      case bytes_field(1):
        scope->name = view_of(&message);
        break;
      case bytes_field(2):
        scope->version = view_of(&message);
        break;
      case bytes_field(3):
        key_value(view_of(&message), scope->attributes, 0, &scope_tree_);
        break;
      case varint_field(4):
        scope->dropped_attributes_count = message.get_uint32();
        break;
      default:
        message.skip();
    }
  }
}

void OtlpProtobufReader::key_value(ByteView data, uint32_t map, uint32_t depth, AnyTree* tree) {
  const uint32_t child = tree->add_child(map);
  for (Message message = reader_of(data); message.next();) {
    switch (message.tag_and_type()) {
      case bytes_field(1):
        tree->node(child).key = view_of(&message);
        break;
      case bytes_field(2):
        any_value(view_of(&message), child, depth, tree);
        break;
      default:
        message.skip();
    }
  }
}

// Adds what the message says to a node, which may have been set before: the last member wins.
void OtlpProtobufReader::any_value(ByteView data, uint32_t node, uint32_t depth, AnyTree* tree) {
  for (Message message = reader_of(data); message.next();) {
    AnyNode& value = tree->node(node);
    switch (message.tag_and_type()) {
      case bytes_field(1):
        value.kind = AnyNode::Kind::kString;
        value.text = view_of(&message);
        break;
      case varint_field(2):
        value.kind = AnyNode::Kind::kBool;
        value.boolean = message.get_bool();
        break;
      case varint_field(3):
        value.kind = AnyNode::Kind::kInt;
        value.integer = message.get_int64();
        break;
      case fixed64_field(4):
        value.kind = AnyNode::Kind::kDouble;
        value.number = message.get_double();
        break;
      case bytes_field(5):
        container(view_of(&message), node, AnyNode::Kind::kArray, depth, tree);
        break;
      case bytes_field(6):
        container(view_of(&message), node, AnyNode::Kind::kMap, depth, tree);
        break;
      case bytes_field(7):
        value.kind = AnyNode::Kind::kBytes;
        value.text = view_of(&message);
        break;
      default:
        message.skip();
    }
  }
}

void OtlpProtobufReader::container(ByteView data, uint32_t node, AnyNode::Kind kind, uint32_t depth,
                                   AnyTree* tree) {
  if (depth >= depth_max_) {
    too_deep_ = true;
    return;
  }
  tree->set_container(node, kind);
  for (Message message = reader_of(data); message.next();) {
    if (message.tag_and_type() != bytes_field(1)) {
      message.skip();
    } else if (kind == AnyNode::Kind::kMap) {
      key_value(view_of(&message), node, depth + 1, tree);
    } else {
      const uint32_t child = tree->add_child(node);
      any_value(view_of(&message), child, depth + 1, tree);
    }
  }
}

}  // namespace firn
