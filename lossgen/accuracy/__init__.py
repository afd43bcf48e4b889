"""How accurate generated code is: worst and 99th-percentile error in ulp, against 50 digits."""
