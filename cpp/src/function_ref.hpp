#pragma once

#include <type_traits>
#include <utility>

namespace hso::detail {

template <class Signature>
class FunctionRef;

/// A non-owning reference to a callable: a std::function parameter without its allocation. The callable must outlive it.
template <class Result, class... Args>
class FunctionRef<Result(Args...)> {
  public:
    template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>)
        FunctionRef(F&& function)  // NOLINT(google-explicit-constructor): made to be converted to at a call
        : object_(const_cast<void*>(static_cast<const void*>(&function))), call_([](void* object, Args... args) -> Result {
              return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
          }) {}

    Result operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

  private:
    void* object_;
    Result (*call_)(void*, Args...);
};

}  // namespace hso::detail
