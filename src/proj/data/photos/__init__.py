"""Users' own photos: finds their class folders, reads image files of many formats, and resizes them.

part_folders.py      decides which folders are classes, and which are parts (train, val, test)
class_folders.py     finds the images in the class folders of each part
found_images.py      the images that were found, each with its class and its part
how_to_sort.py       advises the user on photos that do not lie in class folders
images_in_folder.py  decides which files are images
image_file.py        opens an image file, and fits the image to a size
deep_pixels.py       converts pixels of more than 8 bits
resized.py           a cache file of all resized images, from which those that exceed the memory are read
near_copies.py       warns of test or validation photos that are nearly identical to training photos
remarks.py           what the user is told once the images are read, such as which were left out
"""
