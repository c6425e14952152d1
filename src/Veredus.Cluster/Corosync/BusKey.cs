namespace Veredus.Cluster;

/// <summary>The key that members of the bus share.</summary>
public static class BusKey
{
    private const int MinBytes = 128, MaxBytes = 4096;
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Reads a key and checks that corosync takes it and nobody else can read it.</summary>
    /// <exception cref="IOException">What is wrong with it, and what to do.</exception>
    public static byte[] Read(string path)
    {
        byte[] key;
        try
        {
            key = File.ReadAllBytes(path);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"{path} cannot be read: {e.Message} The key of the bus belongs to root.", e);
        }
        if (key.Length is < MinBytes or > MaxBytes)
            throw new IOException($"{path} has {key.Length} bytes; a key of the bus has {MinBytes} to {MaxBytes}. Take it from another member.");
        if ((File.GetUnixFileMode(path) & Others) != 0)
            throw new IOException($"{path} can be read or written by others than its owner: chmod 400 {path}");
        return key;
    }
}
