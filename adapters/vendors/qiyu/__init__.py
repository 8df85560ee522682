"""网易七鱼 (Qiyu), by its message interface (消息接口)."""
