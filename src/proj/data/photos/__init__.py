"""Photos as people have them: folders of classes, files of many kinds, and their pixels.

class_folders.py     which folders are classes and parts
how_to_sort.py       what to do with photos that lie in none
images_in_folder.py  which files are images
image_file.py        opens an image file, and fits it to a size, as a recipe says
deep_pixels.py       pixels of more than 8 bits
resized.py           all files, resized once and kept in one file, where those stay that do not fit into the memory
near_copies.py       photos of the test part that are nearly those of the training
remarks.py           what is said of files that were left out
"""
