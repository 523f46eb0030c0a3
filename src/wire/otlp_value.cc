#include "wire/otlp_value.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include "wire/json_text.h"

namespace firn {
namespace {

// Up to here keys are compared with each other and no memory is asked for; above, they are sorted.
constexpr size_t kFewMembersMax = 16;

// The children of a map without those whose key comes again later, in the order sent.
class Members {
 public:
  Members(const AnyTree& tree, uint32_t map) {
    size_t count = 0;
    for (uint32_t child = tree.node(map).first; child != 0; child = tree.node(child).next) {
      if (count < kFewMembersMax) few_[count] = child;
      if (count == kFewMembersMax) many_.assign(few_.begin(), few_.end());
      if (count >= kFewMembersMax) many_.push_back(child);
      ++count;
    }
    list_ = many_.empty() ? std::span(few_).first(count) : std::span(many_);
    list_ = list_.first(many_.empty() ? drop_repeated_few(tree) : drop_repeated_many(tree));
  }
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;

  std::span<uint32_t> list() const { return list_; }

 private:
  // Both return how many are left.
  size_t drop_repeated_few(const AnyTree& tree) {
    size_t kept = 0;
    for (size_t i = 0; i < list_.size(); ++i) {
      const std::string_view key = tree.node(list_[i]).key;
      bool comes_again = false;
      for (size_t j = i + 1; j < list_.size() && !comes_again; ++j) {
        comes_again = key == tree.node(list_[j]).key;
      }
      if (!comes_again) list_[kept++] = list_[i];
    }
    return kept;
  }
  size_t drop_repeated_many(const AnyTree& tree) {
    // By key, the last one sent first; then the first of each key is kept. Children are numbered in
    // the order sent.
    std::sort(list_.begin(), list_.end(), [&](uint32_t a, uint32_t b) {
      const int order = tree.node(a).key.compare(tree.node(b).key);
      return order != 0 ? order < 0 : a > b;
    });
    const auto end = std::unique(list_.begin(), list_.end(), [&](uint32_t a, uint32_t b) {
      return tree.node(a).key == tree.node(b).key;
    });
    std::sort(list_.begin(), end);
    return static_cast<size_t>(end - list_.begin());
  }

  std::array<uint32_t, kFewMembersMax> few_;
  std::vector<uint32_t> many_;  // empty while the few suffice
  std::span<uint32_t> list_;
};

bool is_marker(std::string_view key) { return key == "bytes" || key == "double" || key == "map"; }

void append_bytes(std::string_view bytes, std::string* out) {
  out->append(R"({"bytes":")");
  append_base64(bytes, out);
  out->append("\"}");
}

void append_array(const AnyTree& tree, uint32_t array, KeyOrder order, std::string* out) {
  out->push_back('[');
  for (uint32_t child = tree.node(array).first; child != 0; child = tree.node(child).next) {
    if (child != tree.node(array).first) out->push_back(',');
    append_any_value(tree, child, order, out);
  }
  out->push_back(']');
}

void append_members(const AnyTree& tree, const Members& members, KeyOrder order, std::string* out) {
  const std::span<uint32_t> list = members.list();
  if (order == KeyOrder::kSorted) {
    std::sort(list.begin(), list.end(),
              [&](uint32_t a, uint32_t b) { return tree.node(a).key < tree.node(b).key; });
  }
  JsonObjectWriter object(out);
  for (const uint32_t member : list) {
    object.member(tree.node(member).key);
    append_any_value(tree, member, order, out);
  }
  object.close();
}

void append_map(const AnyTree& tree, uint32_t map, KeyOrder order, std::string* out) {
  const Members members(tree, map);
  // A map that would read like one of the marks for bytes and doubles is marked as a map.
  const bool wrapped =
      members.list().size() == 1 && is_marker(tree.node(members.list().front()).key);
  if (wrapped) out->append(R"({"map":)");
  append_members(tree, members, order, out);
  if (wrapped) out->push_back('}');
}

}  // namespace

void append_any_double(double number, std::string* out) {
  if (std::isfinite(number)) {
    append_json_double(number, out);
  } else if (std::isnan(number)) {
    out->append(R"({"double":"NaN"})");
  } else {
    out->append(number > 0 ? R"({"double":"Infinity"})" : R"({"double":"-Infinity"})");
  }
}

uint32_t AnyTree::add_child(uint32_t parent) {
  if (nodes_.size() >= nodes_max_) {
    overflowed_ = true;
    return 0;
  }
  const uint32_t child = add(AnyNode::Kind::kUnset);
  AnyNode& above = nodes_[parent];
  if (above.first == 0) {
    above.first = child;
  } else {
    nodes_[above.last].next = child;
  }
  above.last = child;
  return child;
}

void AnyTree::set_container(uint32_t node, AnyNode::Kind kind) {
  AnyNode& value = nodes_[node];
  if (value.kind == kind) return;
  value.kind = kind;
  value.first = 0;
  value.last = 0;
}

size_t AnyTree::text_bytes() const {
  size_t bytes = 0;
  for (const AnyNode& node : nodes_) bytes += node.text.size() + node.key.size();
  return bytes;
}

uint32_t AnyTree::children(uint32_t node) const {
  uint32_t count = 0;
  if (node == 0) return count;
  for (uint32_t child = nodes_[node].first; child != 0; child = nodes_[child].next) ++count;
  return count;
}

void append_any_value(const AnyTree& tree, uint32_t node, KeyOrder order, std::string* out) {
  const AnyNode& value = tree.node(node);
  switch (value.kind) {
    case AnyNode::Kind::kUnset:
      out->append("null");
      return;
    case AnyNode::Kind::kString:
      append_json_string(value.text, out);
      return;
    case AnyNode::Kind::kBool:
      out->append(value.boolean ? "true" : "false");
      return;
    case AnyNode::Kind::kInt:
      append_json_integer(value.integer, out);
      return;
    case AnyNode::Kind::kDouble:
      append_any_double(value.number, out);
      return;
    case AnyNode::Kind::kBytes:
      append_bytes(value.text, out);
      return;
    case AnyNode::Kind::kArray:
      append_array(tree, node, order, out);
      return;
    case AnyNode::Kind::kMap:
      append_map(tree, node, order, out);
      return;
  }
}

void append_attributes_member(const AnyTree& tree, uint32_t map, KeyOrder order,
                              JsonObjectWriter* object, std::string* out) {
  if (!tree.has_children(map)) return;
  object->member("attributes");
  append_members(tree, Members(tree, map), order, out);
}

}  // namespace firn
