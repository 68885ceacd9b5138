# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""The scheduler simulated at worker counts that no machine at hand has: see docs/scaling.md."""
