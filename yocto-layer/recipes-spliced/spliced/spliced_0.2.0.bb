# SPDX-License-Identifier: Apache-2.0
require spliced.inc

# "npm run tarball" writes these lines.
LICENSE = "Apache-2.0 & 0BSD & BSD-3-Clause & ISC & MIT"
LIC_FILES_CHKSUM = "\
    file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
    file://dist/THIRD-PARTY-NOTICES;md5=707667fa918e7791be77040f16ccad64 \
    file://node_modules/node-addon-api/LICENSE.md;md5=fc3ff1120869be6b3cce17f9a06bfe2e \
    file://node_modules/mime-db/LICENSE;md5=175b28b58359f8b4a969c9ab7c828445 \
"
