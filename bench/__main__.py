"""``python -m bench``: run every case and print a line each."""

from __future__ import annotations

from bench.cases import session_to_oidc_es256

CASES = (session_to_oidc_es256,)


def main() -> None:
    print("CPU of the server's process per request, medians of alternating rounds\n")
    for case in CASES:
        result = case.run()
        ours, floor = sorted(result.ours), sorted(result.floor)
        print(result.name)
        print(f"  ours   {ours[len(ours) // 2]:7.1f} µs   ({ours[0]:.1f} to {ours[-1]:.1f})")
        print(f"  floor  {floor[len(floor) // 2]:7.1f} µs   ({floor[0]:.1f} to {floor[-1]:.1f})")
        print(
            f"  ratio  {result.ratio:7.2f}      ({min(result.ratios):.2f} to "
            f"{max(result.ratios):.2f})"
        )


if __name__ == "__main__":
    main()
