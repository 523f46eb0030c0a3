#include "wire/grpc_reflection.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <set>

#include "wire/otlp_schema.h"

namespace firn {

namespace {

using protozero::pbf_writer;

// google.rpc.Code
constexpr int32_t kInvalidArgument = 3, kNotFound = 5;
// Members of ServerReflectionRequest and of its response.
enum Ask : uint32_t {
  kFileByName = 3,
  kFileOfSymbol = 4,
  kFileOfExtension = 5,
  kExtensions = 6,
  kListServices = 7
};
enum Answer : uint32_t { kOriginalRequest = 2, kFiles = 4, kServices = 6, kError = 7 };

struct Question {
  uint32_t ask = 0;
  std::string text;
};

// Nothing when the request is malformed.
std::optional<Question> read_question(std::string_view request) {
  Question question;
  try {
    for (protozero::pbf_reader message(request.data(), request.size()); message.next();) {
      const uint32_t tag = message.tag();
      const bool is_text = message.wire_type() == protozero::pbf_wire_type::length_delimited;
      if (is_text && tag >= kFileByName && tag <= kListServices) {
        question = {tag, message.get_string()};
      } else {
        message.skip();
      }
    }
  } catch (const std::exception&) {  // protozero's, about malformed input
    return std::nullopt;
  }
  return question;
}

std::string error_of(int32_t code, const std::string& message) {
  std::string error;
  pbf_writer writer(error);
  writer.add_int32(1, code);
  writer.add_string(2, message);
  return error;
}

const ProtoFile* file_named(const std::string& name) {
  const auto& files = otlp_schema();
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const ProtoFile& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

const ProtoFile* file_of_symbol(const std::string& symbol) {
  for (const ProtoFile& file : otlp_schema()) {
    const auto& symbols = file.symbols;
    if (std::find(symbols.begin(), symbols.end(), symbol) != symbols.end()) return &file;
  }
  return nullptr;
}

// The file behind all that it needs.
void add_file(const ProtoFile& file, std::set<std::string>* added, pbf_writer* to) {
  if (!added->insert(file.name).second) return;
  to->add_bytes(1, file.descriptor);
  for (const std::string& dependency : file.dependencies)
    add_file(*file_named(dependency), added, to);
}

std::string services() {
  std::string list;
  for (const std::string& name : otlp_schema_services()) {
    std::string service;
    pbf_writer(service).add_string(1, name);
    pbf_writer(list).add_message(1, service);
  }
  return list;
}

}  // namespace

std::string answer_reflection(std::string_view request) {
  std::string answer;
  pbf_writer writer(answer);
  writer.add_bytes(kOriginalRequest, request.data(), request.size());
  const std::optional<Question> question = read_question(request);
  if (!question) {
    writer.add_message(kError, error_of(kInvalidArgument, "the request is malformed"));
    return answer;
  }
  const ProtoFile* file = nullptr;
  switch (question->ask) {
    case kListServices:
      writer.add_message(kServices, services());
      return answer;
    case kFileByName:
      file = file_named(question->text);
      break;
    case kFileOfSymbol:
      file = file_of_symbol(question->text);
      break;
    case kFileOfExtension:
    case kExtensions:
      writer.add_message(kError, error_of(kNotFound, "nothing is extended here"));
      return answer;
    default:
      writer.add_message(kError, error_of(kInvalidArgument, "the request asks for nothing"));
      return answer;
  }
  if (file == nullptr) {
    writer.add_message(kError, error_of(kNotFound, question->text + " is not served here"));
    return answer;
  }
  std::string files;
  pbf_writer to(files);
  std::set<std::string> added;
  add_file(*file, &added, &to);
  writer.add_message(kFiles, files);
  return answer;
}

}  // namespace firn
