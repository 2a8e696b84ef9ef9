"""From videos to tracks and crops, camera by camera."""
