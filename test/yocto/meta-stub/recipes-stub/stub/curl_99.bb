# SPDX-License-Identifier: Apache-2.0
require stub.inc
do_install() {
    :
}
ALLOW_EMPTY:${PN} = "1"
