# SPDX-License-Identifier: Apache-2.0
require ${@bb.utils.contains('DISTRO_FEATURES', 'spliced', 'recipes-kernel/linux/spliced-caam.inc', '', d)}
