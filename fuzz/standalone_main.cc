// Stands in for libFuzzer where the compiler has none: replays a corpus, then seeded mutations of
// it. The same inputs in every run, so a failure here is reproduced by running it again. What is
// being tried is first written to <program>.last-input: after a crash that file is the reproducer.
//
// usage: fuzz_<name> <corpus directory or file>... [--mutations N]

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Input = std::vector<uint8_t>;

constexpr size_t kMaxInputBytes = 64 * 1024;
constexpr uint64_t kSeed = 20240229;

std::string last_input_path;

void try_one(const Input& input) {
  std::ofstream file(last_input_path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(input.data()),
             static_cast<std::streamsize>(input.size()));
  file.close();
  // A copy of exactly this size, so that the address sanitizer sees a read past its end.
  const Input exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

Input read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Input(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::vector<Input> read_corpus(const std::vector<std::string>& paths) {
  std::vector<std::filesystem::path> files;
  for (const std::string& path : paths) {
    if (std::filesystem::is_regular_file(path)) {
      files.emplace_back(path);
    } else if (std::filesystem::is_directory(path)) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
      }
    }
  }
  std::sort(files.begin(), files.end());  // the order of a directory differs between machines
  std::vector<Input> corpus;
  for (const auto& file : files) corpus.push_back(read_file(file));
  return corpus;
}

class Mutator {
 public:
  explicit Mutator(const std::vector<Input>& corpus) : corpus_(corpus) {}

  Input next() {
    Input input = corpus_[below(corpus_.size())];
    const size_t steps = 1 + below(6);
    for (size_t step = 0; step < steps; ++step) mutate(input);
    if (input.size() > kMaxInputBytes) input.resize(kMaxInputBytes);
    return input;
  }

 private:
  size_t below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  uint8_t byte() { return static_cast<uint8_t>(random_()); }
  Input::iterator at(Input& input, size_t offset) {
    return input.begin() + static_cast<Input::difference_type>(offset);
  }

  void mutate(Input& input) {
    // Lengths and counts are where parsers break, so extreme values come up often.
    static constexpr uint8_t kExtremes[] = {0x00, 0x01, 0x7f, 0x80, 0xfe,
                                            0xff, '"',  '{',  '[',  '\\'};
    const size_t here = below(input.size());
    switch (below(8)) {
      case 0:
        if (!input.empty()) input[here] = static_cast<uint8_t>(input[here] ^ (1U << below(8)));
        break;
      case 1:
        if (!input.empty()) input[here] = byte();
        break;
      case 2:
        if (!input.empty()) input[here] = kExtremes[below(std::size(kExtremes))];
        break;
      case 3:
        input.insert(at(input, here), 1 + below(8), byte());
        break;
      case 4:
        input.resize(here);
        break;
      case 5:
        input.erase(at(input, here), at(input, here + below(input.size() - here)));
        break;
      case 6: {
        const size_t end = here + below(input.size() - here);
        const Input piece(at(input, here), at(input, end));
        input.insert(at(input, below(input.size())), piece.begin(), piece.end());
        break;
      }
      default: {
        const Input& other = corpus_[below(corpus_.size())];
        const size_t from = below(other.size());
        input.resize(here);
        input.insert(input.end(), other.begin() + static_cast<Input::difference_type>(from),
                     other.end());
        break;
      }
    }
  }

  const std::vector<Input>& corpus_;
  std::mt19937_64 random_{kSeed};
};

}  // namespace

int main(int argc, char** argv) {
  size_t mutations = 4000;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--mutations" && i + 1 < argc) {
      mutations = std::strtoul(argv[++i], nullptr, 10);
    } else {
      paths.emplace_back(argv[i]);
    }
  }
  last_input_path = std::string(argv[0]) + ".last-input";

  std::vector<Input> corpus = read_corpus(paths);
  const size_t files = corpus.size();
  if (corpus.empty()) corpus.push_back({});
  for (const Input& input : corpus) try_one(input);
  Mutator mutator(corpus);
  for (size_t i = 0; i < mutations; ++i) try_one(mutator.next());
  std::filesystem::remove(last_input_path);
  std::printf("%zu files and %zu mutations of them: no failure\n", files, mutations);
  return 0;
}
