"""Photos as people have them: folders of classes, files of many kinds, and their pixels."""
