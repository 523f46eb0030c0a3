#include "tests/crash/damage_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace firn {

namespace {

constexpr size_t kBlockBytes = 4096;

// `samples` of the things, or all, in their order.
template <typename T>
std::vector<T> sample(const std::vector<T>& things, uint64_t samples, std::mt19937_64* random) {
  std::vector<T> chosen;
  chosen.reserve(std::min<uint64_t>(samples, things.size()));
  std::sample(things.begin(), things.end(), std::back_inserter(chosen),
              std::min<uint64_t>(samples, things.size()), *random);
  return chosen;
}

void judge(DamagedStore* store, const std::string& what, DamageCount* count) {
  const Verdict verdict = store->judge();
  ++count->cycles;
  count->named += verdict.named ? 1 : 0;
  if (!verdict.problem.empty()) {
    auto& [times, example] = count->wrongs[verdict.problem.substr(0, verdict.problem.find(':'))];
    if (times++ == 0) example = what + ": " + verdict.problem;
  }
  store->restore();
}

std::string block_of(const std::string& content, size_t block) {
  return block * kBlockBytes < content.size() ? content.substr(block * kBlockBytes, kBlockBytes)
                                              : "";
}

}  // namespace

DamageCount flip_bits(DamagedStore* store, FileKind kind, uint64_t samples, uint64_t seed) {
  DamageCount count;
  std::mt19937_64 random(seed);
  for (const std::string& path : store->files(kind)) {
    for (const uint64_t byte : sample(bytes_to_damage(store->content(path)), samples, &random)) {
      const uint64_t bit = byte * 8 + random() % 8;
      store->flip_bit(path, bit);
      judge(store, path + " bit " + std::to_string(bit) + " flipped", &count);
    }
  }
  return count;
}

DamageCount swap_blocks(DamagedStore* store, FileKind kind, uint64_t samples, uint64_t seed) {
  DamageCount count;
  std::mt19937_64 random(seed);
  for (const std::string& path : store->files(kind)) {
    const std::string content = store->content(path);
    std::vector<std::pair<size_t, size_t>> pairs;
    // Blocks of the same content, such as the empty end of a log, give one pair among themselves.
    std::vector<size_t> distinct;
    for (size_t block = 0; (block + 1) * kBlockBytes <= content.size(); ++block) {
      const bool known = std::any_of(distinct.begin(), distinct.end(), [&](size_t other) {
        return block_of(content, other) == block_of(content, block);
      });
      if (known) continue;
      for (const size_t other : distinct) pairs.emplace_back(other, block);
      distinct.push_back(block);
    }
    for (const auto& [first, second] : sample(pairs, samples, &random)) {
      std::string swapped = content;
      swapped.replace(first * kBlockBytes, kBlockBytes, block_of(content, second));
      swapped.replace(second * kBlockBytes, kBlockBytes, block_of(content, first));
      store->set_content(path, swapped);
      judge(store,
            path + " blocks " + std::to_string(first) + " and " + std::to_string(second) +
                " exchanged",
            &count);
    }
  }
  return count;
}

DamageCount bring_back_blocks(DamagedStore* store, FileKind kind, uint64_t samples, uint64_t seed) {
  DamageCount count;
  std::mt19937_64 random(seed);
  for (const std::string& path : store->files(kind)) {
    const std::string now = store->content(path), earlier = store->earlier_content(path);
    std::vector<size_t> changed;
    for (size_t block = 0; block * kBlockBytes < std::min(now.size(), earlier.size()); ++block) {
      if (block_of(now, block) != block_of(earlier, block)) changed.push_back(block);
    }
    for (const size_t block : sample(changed, samples, &random)) {
      std::string mixed = now;
      const std::string old = block_of(earlier, block);
      mixed.replace(block * kBlockBytes, old.size(), old);
      store->set_content(path, mixed);
      judge(store, path + " block " + std::to_string(block) + " as it was earlier", &count);
    }
  }
  return count;
}

DamageCount bring_back_files(DamagedStore* store, FileKind kind) {
  DamageCount count;
  for (const std::string& path : store->files(kind)) {
    const std::string earlier = store->earlier_content(path);
    if (earlier.empty() || earlier == store->content(path)) continue;
    store->set_content(path, earlier);
    judge(store, path + " as it was earlier", &count);
  }
  return count;
}

DamageCount damage_tail(DamagedStore* store, TailDamage damage, uint64_t samples, uint64_t seed) {
  DamageCount count;
  std::mt19937_64 random(seed);
  const std::string path = store->files(FileKind::kLog).back();
  const std::string content = store->content(path);
  std::vector<size_t> begins(content.find_last_not_of('\0') + 2 - kBlockBytes);
  for (size_t i = 0; i < begins.size(); ++i) begins[i] = kBlockBytes + i;
  for (const size_t begin : sample(begins, samples, &random)) {
    std::string torn = content.substr(0, begin);
    if (damage != TailDamage::kCut) torn.resize(content.size());
    if (damage == TailDamage::kGarbage) {
      std::generate(torn.begin() + static_cast<ptrdiff_t>(begin), torn.end(),
                    [&] { return static_cast<char>(random()); });
    }
    store->set_content(path, torn);
    judge(store, path + " torn at " + std::to_string(begin), &count);
  }
  return count;
}

void add(const DamageCount& more, DamageCount* all) {
  all->cycles += more.cycles;
  all->named += more.named;
  for (const auto& [sort, wrong] : more.wrongs) {
    auto& [times, example] = all->wrongs[sort];
    if (times == 0) example = wrong.second;
    times += wrong.first;
  }
}

void expect_sound(const DamagedStore& store, const DamageCount& count, uint64_t seed) {
  EXPECT_GT(count.cycles, 0u);
  for (const auto& [sort, wrong] : count.wrongs) {
    ADD_FAILURE() << sort << ": " << wrong.first << " of " << count.cycles << ", seed " << seed
                  << ", for instance " << wrong.second;
  }
  if (!count.wrongs.empty()) return;
  std::printf("seed=%lu cycles=%lu named=%lu acked=%lu lost=0 dup=0 torn=0 ghost=0 order=0\n", seed,
              count.cycles, count.named, store.acked());
}

}  // namespace firn
