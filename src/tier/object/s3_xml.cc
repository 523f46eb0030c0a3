#include "tier/object/s3_xml.h"

#include <charconv>
#include <pugixml.hpp>

namespace firn {

namespace {

Status refuse(const std::string& what) {
  return corruption("an answer of the object store cannot be read: " + what);
}

// The root element, which must have this name. Namespace prefixes are not in use here.
Result<pugi::xml_node> parse_root(ByteView xml, const char* name, pugi::xml_document* document) {
  const auto parsed =
      document->load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!parsed) return refuse(std::string("it is no XML: ") + parsed.description());
  const pugi::xml_node root = document->document_element();
  if (std::string_view(root.name()) != name) {
    return refuse("<" + std::string(root.name()) + "> stands where <" + name + "> was expected");
  }
  return root;
}

Result<std::string> required_text(const pugi::xml_node& node, const char* name) {
  const std::string text = node.child(name).text().get();
  if (text.empty()) return refuse(std::string("<") + name + "> is missing");
  return text;
}

Result<bool> read_bool(const pugi::xml_node& node, const char* name) {
  const std::string_view text = node.child(name).text().get();
  if (text == "true") return true;
  if (text == "false") return false;
  return refuse(std::string("<") + name + "> is neither true nor false");
}

Result<uint64_t> read_size(const pugi::xml_node& node) {
  const std::string_view text = node.child("Size").text().get();
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return refuse("a <Size> is wrong");
  return value;
}

// Keys as encoding-type=url writes them, also in its older form with '+' for a space.
Result<std::string> url_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      char byte = 0;
      if (!hex_decode(text.substr(i + 1, 2), &byte, 1)) return refuse("a key is encoded wrongly");
      out += byte;
      i += 2;
    }
  }
  return out;
}

Result<std::string> read_key(const pugi::xml_node& root, const pugi::xml_node& node,
                             const char* name) {
  const std::string_view encoding = root.child("EncodingType").text().get();
  std::string text = node.child(name).text().get();
  return encoding == "url" ? url_decode(text) : text;
}

}  // namespace

Result<S3Error> parse_s3_error(ByteView xml) {
  pugi::xml_document document;
  FIRN_ASSIGN(const pugi::xml_node root, parse_root(xml, "Error", &document));
  FIRN_ASSIGN(std::string code, required_text(root, "Code"));
  return S3Error{std::move(code), root.child("Message").text().get()};
}

Result<ObjectPage> parse_s3_list(ByteView xml) {
  pugi::xml_document document;
  FIRN_ASSIGN(const pugi::xml_node root, parse_root(xml, "ListBucketResult", &document));
  FIRN_ASSIGN(const bool is_truncated, read_bool(root, "IsTruncated"));
  ObjectPage page;
  page.is_last = !is_truncated;
  for (const pugi::xml_node node : root.children("Contents")) {
    ObjectInfo object;
    FIRN_ASSIGN(object.key, read_key(root, node, "Key"));
    if (object.key.empty()) return refuse("a <Key> is missing");
    FIRN_ASSIGN(object.size_bytes, read_size(node));
    object.version = node.child("ETag").text().get();
    page.objects.push_back(std::move(object));
  }
  return page;
}

Result<std::string> parse_s3_upload_id(ByteView xml) {
  pugi::xml_document document;
  FIRN_ASSIGN(const auto root, parse_root(xml, "InitiateMultipartUploadResult", &document));
  return required_text(root, "UploadId");
}

Result<std::string> parse_s3_completion(ByteView xml) {
  pugi::xml_document document;
  FIRN_ASSIGN(const auto root, parse_root(xml, "CompleteMultipartUploadResult", &document));
  return required_text(root, "ETag");
}

std::string format_s3_completion(const std::vector<S3Part>& parts) {
  std::string out = "<CompleteMultipartUpload>";
  for (const S3Part& part : parts) {
    out += "<Part><PartNumber>" + std::to_string(part.number) + "</PartNumber><ETag>";
    for (const char c : part.etag) {
      if (c == '&') {
        out += "&amp;";
      } else if (c == '<') {
        out += "&lt;";
      } else {
        out += c;
      }
    }
    out += "</ETag></Part>";
  }
  return out + "</CompleteMultipartUpload>";
}

Result<S3Uploads> parse_s3_uploads(ByteView xml) {
  pugi::xml_document document;
  FIRN_ASSIGN(const auto root, parse_root(xml, "ListMultipartUploadsResult", &document));
  FIRN_ASSIGN(const bool is_truncated, read_bool(root, "IsTruncated"));
  S3Uploads out;
  out.is_last = !is_truncated;
  for (const pugi::xml_node node : root.children("Upload")) {
    S3Uploads::Upload upload;
    FIRN_ASSIGN(upload.key, read_key(root, node, "Key"));
    FIRN_ASSIGN(upload.id, required_text(node, "UploadId"));
    out.uploads.push_back(std::move(upload));
  }
  FIRN_ASSIGN(out.next_key, read_key(root, root, "NextKeyMarker"));
  out.next_id = root.child("NextUploadIdMarker").text().get();
  return out;
}

}  // namespace firn
