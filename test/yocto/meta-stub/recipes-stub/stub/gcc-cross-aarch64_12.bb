# SPDX-License-Identifier: Apache-2.0
require stub.inc
PN = "gcc-cross-${TARGET_ARCH}"
inherit cross
PROVIDES = "virtual/${TARGET_PREFIX}gcc virtual/${TARGET_PREFIX}g++ virtual/${TARGET_PREFIX}binutils virtual/cross-cc virtual/cross-c++ virtual/cross-binutils"
DEPENDS = ""
do_install() {
    install -d ${D}${bindir}
    for t in gcc g++ cpp as ld ar nm ranlib strip objcopy objdump readelf gcc-ar gcc-nm gcc-ranlib strings; do
        # gcc 12 has no -fcanon-prefix-map
        printf '#!/bin/bash\na=()\nfor x in "$@"; do [ "$x" = -fcanon-prefix-map ] || a+=("$x"); done\nexec /usr/bin/aarch64-linux-gnu-%s "${a[@]}"\n' $t > ${D}${bindir}/${TARGET_PREFIX}$t
        chmod 0755 ${D}${bindir}/${TARGET_PREFIX}$t
    done
}
