using System.Globalization;
using System.Security.Cryptography;

namespace Veredus.Node.Hosting;

/// <summary>The number of this node in message IDs, 0–65535: random at the first start, then kept beside the spool that its IDs are in.</summary>
public static class NodeNumber
{
    private const string FileName = "node-number";

    /// <param name="directory">The spool's directory; its lock must be held.</param>
    /// <exception cref="IOException">The file cannot be read or written, or does not hold a number.</exception>
    public static ushort LoadOrCreate(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (File.Exists(path))
        {
            var text = File.ReadAllText(path).Trim();
            return ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var known)
                ? known
                : throw new IOException($"{path} holds '{text[..Math.Min(text.Length, 40)]}'; it must hold a number from 0 to 65535 that no other node uses.");
        }

        var number = (ushort)RandomNumberGenerator.GetInt32(ushort.MaxValue + 1);
        var temporary = path + ".new";
        using (var file = File.OpenHandle(temporary, FileMode.Create, FileAccess.Write))
        {
            RandomAccess.Write(file, System.Text.Encoding.ASCII.GetBytes(number.ToString("00000", CultureInfo.InvariantCulture) + "\n"), 0);
            RandomAccess.FlushToDisk(file);
        }

        File.Move(temporary, path);
        return number;
    }
}
