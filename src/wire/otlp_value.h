#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire/json_text.h"

namespace firn {

// One OpenTelemetry AnyValue inside an AnyTree.
struct AnyNode {
  enum class Kind : uint8_t { kUnset, kString, kBool, kInt, kDouble, kBytes, kArray, kMap };

  Kind kind = Kind::kUnset;
  bool boolean = false;
  uint32_t next = 0;   // the next child of the same parent; 0: none
  uint32_t first = 0;  // the first child of an array or map; 0: none
  uint32_t last = 0;
  union {
    int64_t integer = 0;
    double number;
  };
  std::string_view text;  // kString, kBytes
  std::string_view key;   // of a map's child
};

// AnyValues as a tree, the common ground of the protobuf and the JSON form of OTLP: what is written
// from it cannot differ between the two. Views point to the request. Reused for record after
// record. Thread rule: one thread.
class AnyTree {
 public:
  explicit AnyTree(size_t nodes_max) : nodes_max_(nodes_max) { clear(); }
  // Node 0 is nobody's; it stands for "none".
  void clear() {
    nodes_.assign(1, AnyNode{});
    overflowed_ = false;
  }
  // Keys and texts together.
  size_t text_bytes() const;
  uint32_t add(AnyNode::Kind kind) {
    nodes_.emplace_back().kind = kind;
    return static_cast<uint32_t>(nodes_.size() - 1);
  }
  // A new last child. The reference of node() is invalid afterwards. In a full tree it is node 0,
  // which may be written to and is never read: an element costs a sender two bytes and us a node,
  // so somebody has to stop.
  uint32_t add_child(uint32_t parent);
  // Whether children were left out. The tree does not say what was sent then.
  bool overflowed() const { return overflowed_; }
  // Makes the node a value of another kind, without children. An array stays the array it was, and
  // so does a map: of a value that comes in two parts the parts are joined, as protobuf does.
  void set_container(uint32_t node, AnyNode::Kind kind);
  AnyNode& node(uint32_t index) { return nodes_[index]; }
  const AnyNode& node(uint32_t index) const { return nodes_[index]; }
  // How many children a node has, repeated keys included; none when it is node 0.
  uint32_t children(uint32_t node) const;
  bool has_children(uint32_t node) const { return node != 0 && nodes_[node].first != 0; }

 private:
  const size_t nodes_max_;
  std::vector<AnyNode> nodes_;
  bool overflowed_ = false;
};

enum class KeyOrder : uint8_t { kAsSent, kSorted };

// A double as a JSON value (docs/otlp.md, "Values"): NaN and infinities as marked objects.
void append_any_double(double number, std::string* out);
// The value as JSON (docs/otlp.md, "Values"). The order holds at every level.
void append_any_value(const AnyTree& tree, uint32_t node, KeyOrder order, std::string* out);
// The member "attributes" of `object`, which writes to `out`: a map always as an object, never
// wrapped. Nothing when the map is 0 or empty.
void append_attributes_member(const AnyTree& tree, uint32_t map, KeyOrder order,
                              JsonObjectWriter* object, std::string* out);

}  // namespace firn
