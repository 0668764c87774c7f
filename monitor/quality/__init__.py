"""Visual quality Q: MTCNN face probability."""
