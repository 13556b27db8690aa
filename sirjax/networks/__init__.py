"""The networks: encoder, heads, albedo decoder, ConfNet; VGG16 features and the MTCNN face detector."""
