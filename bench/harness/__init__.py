# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""Runs the contenders of bench/scenario side by side; tools/compare is the way in."""
