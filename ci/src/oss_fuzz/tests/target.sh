#!/bin/sh
# Stands for a fuzz target in tests: it says what LLVMFuzzerTestOneInput would, and behaves as its name says.
case $0 in
    *partly_instrumented) edges=12 ;;
    *) edges=4242 ;;
esac
echo "INFO: Loaded 1 modules   ($edges inline 8-bit counters): $edges [0x1000, 0x2092)," >&2
case $0 in *profiled) echo "a profile" >"${LLVM_PROFILE_FILE%/*}/1.profraw" ;; esac
for argument in "$@"; do
    case $argument in
        -runs=4)
            case $0 in *dies_at_once) exit 1 ;; esac
            echo "Done 4 runs in 0 second(s)" >&2
            ;;
        -*) ;;
        *)
            if grep -q -r fatal "$argument"; then
                echo "==1== ERROR: libFuzzer: deadly signal" >&2
                exit 77
            fi
            ;;
    esac
done
