"""Models: found, built, tuned by a method, saved, proved, and asked. The doors are build.py and predict.py."""
